//! Quotas: how many checks a client has made in this minute and on this day.

use std::time::{Duration, SystemTime};

use super::{Store, StoreError, millis, time};

/// A span of time over which checks are counted. It begins when the clock says so (UTC), not with the first check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// A minute.
    Minute,
    /// A day (UTC).
    Day,
}

impl Window {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Window::Minute => "minute",
            Window::Day => "day",
        }
    }

    /// Its name in the store.
    const fn unit(self) -> &'static str {
        match self {
            Window::Minute => "m",
            Window::Day => "d",
        }
    }

    const fn millis(self) -> i64 {
        match self {
            Window::Minute => 60_000,
            Window::Day => 24 * 3600 * 1000,
        }
    }

    /// When the window began in which this moment lies.
    fn start(self, now: SystemTime) -> i64 {
        let now = millis(now);
        now - now.rem_euclid(self.millis())
    }

    /// How long it is until the next one.
    pub fn rest(self, now: SystemTime) -> Duration {
        time(self.start(now) + self.millis()).duration_since(now).unwrap_or_default()
    }
}

impl Store {
    /// Counts one check of a client; 0 stands for no limit. `Some`: a quota is spent, and nothing was counted. Servers that share the store share the
    /// counts: a row is raised only where it is below the limit, by the statement that reads it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn spend(
        &self,
        client: &str,
        per_minute: u64,
        per_day: u64,
        now: SystemTime,
    ) -> Result<Option<Window>, StoreError> {
        // The day first: where both are spent, that is what to wait for. Always in this order, so that no two wait for each other.
        let windows = [(Window::Day, per_day), (Window::Minute, per_minute)];
        let windows = windows.into_iter().filter(|(_, limit)| *limit > 0);
        if windows.clone().next().is_none() {
            return Ok(None);
        }
        let text = "INSERT INTO client_usage (client, unit, start, used) VALUES ($1, $2, $3, 1) \
                    ON CONFLICT (client, unit, start) DO UPDATE SET used = client_usage.used + 1 \
                    WHERE client_usage.used < $4";
        let mut tx = self.begin().await?;
        for (window, limit) in windows {
            let counted = sqlx::query(text)
                .bind(client)
                .bind(window.unit())
                .bind(window.start(now))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
            if counted.rows_affected() == 0 {
                // What was counted in another window is taken back.
                tx.rollback().await?;
                return Ok(Some(window));
            }
        }
        tx.commit().await?;
        Ok(None)
    }

    /// Checks of a client that were counted in the window at this moment; where it has no limit, none are counted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn used(&self, client: &str, window: Window, now: SystemTime) -> Result<u64, StoreError> {
        let text = "SELECT used FROM client_usage WHERE client = $1 AND unit = $2 AND start = $3";
        let query = sqlx::query_scalar(text).bind(client).bind(window.unit()).bind(window.start(now));
        let used: Option<i64> = query.fetch_optional(self.pool()).await?;
        Ok(u64::try_from(used.unwrap_or_default()).unwrap_or_default())
    }
}
