//! Work on several threads, answers in the order of the input.

use std::{collections::BTreeMap, thread};

use crate::cli::CliError;

/// Answers that may wait for an earlier, slower one, per thread. Enough that one slow file stops nobody, few enough that
/// memory does not hang on the number of files.
const AHEAD: usize = 16;

/// Calls `work` on every item, on `threads` threads that each make their own state with `load`, and `deliver` on this
/// thread with each answer, in the order of `items`.
///
/// # Errors
/// The first error of `load` or `deliver`; then no further work is begun.
pub(super) fn ordered<T, S, A>(
    threads: usize,
    items: &[T],
    load: impl Fn() -> Result<S, CliError> + Sync,
    work: impl Fn(&mut S, &T) -> A + Sync,
    mut deliver: impl FnMut(&T, A) -> Result<(), CliError>,
) -> Result<(), CliError>
where
    T: Sync,
    A: Send,
{
    let window = threads * AHEAD;
    thread::scope(|scope| {
        let (jobs, queue) = flume::bounded::<usize>(window);
        let (answers, answered) = flume::bounded::<Result<(usize, A), CliError>>(window + threads);
        for _ in 0..threads {
            let (queue, answers, load, work) = (queue.clone(), answers.clone(), &load, &work);
            scope.spawn(move || {
                let mut state = match load() {
                    Ok(state) => state,
                    Err(error) => {
                        // A closed channel means that the receiver has given up already.
                        let _ = answers.send(Err(error));
                        return;
                    }
                };
                while let Ok(index) = queue.recv() {
                    let Some(item) = items.get(index) else { return };
                    if answers.send(Ok((index, work(&mut state, item)))).is_err() {
                        return;
                    }
                }
            });
        }
        // The workers hold the only other ends: when all of them have gone, waiting for answers ends.
        drop((queue, answers));
        let mut begun = 0;
        let mut waiting = BTreeMap::new();
        for (next, item) in items.iter().enumerate() {
            while begun < items.len().min(next + window) && jobs.send(begun).is_ok() {
                begun += 1;
            }
            let answer = loop {
                if let Some(answer) = waiting.remove(&next) {
                    break answer;
                }
                let (index, answer) =
                    answered.recv().map_err(|_| CliError::Failed("all workers have ended".to_owned()))??;
                waiting.insert(index, answer);
            };
            deliver(item, answer)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::*, time::Duration};

    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..200).collect();
        let mut seen = Vec::new();
        ordered(
            4,
            &items,
            || Ok(0_u64),
            |count, item| {
                *count += 1;
                thread::sleep(Duration::from_micros((item * 7919) % 300));
                item * 2
            },
            |item, answer| {
                seen.push((*item, answer));
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, items.iter().map(|item| (*item, item * 2)).collect::<Vec<_>>());
    }

    #[test]
    fn a_slow_first_item_does_not_let_the_rest_pile_up() {
        let begun = AtomicUsize::new(0);
        let items = vec![(); 1000];
        let first = AtomicBool::new(true);
        let result = ordered(
            2,
            &items,
            || Ok(()),
            |(), ()| {
                if first.swap(false, Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(100));
                }
                begun.fetch_add(1, Ordering::SeqCst)
            },
            |(), _| {
                assert!(begun.load(Ordering::SeqCst) <= 2 * AHEAD + 2);
                Err(CliError::OutputClosed)
            },
        );
        assert!(matches!(result, Err(CliError::OutputClosed)));
    }

    #[test]
    fn a_worker_that_cannot_load_is_an_error() {
        let result = ordered(2, &[1], || Err::<(), _>(CliError::Failed("no".into())), |(), _| (), |_, ()| Ok(()));
        assert!(matches!(result, Err(CliError::Failed(message)) if message == "no"));
    }
}
