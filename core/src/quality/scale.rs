//! From a raw value to a score: straight lines through the limit at 0.5.
//!
//! Straight lines instead of OFIQ's sigmoids, because a session averages scores over frames and a policy may move a
//! threshold: both are easier to foresee when equal steps of the measure are equal steps of the score.

/// 0 at `worst`, 0.5 at `limit`, 1 at `best`, clamped. Where `worst > best` less is better.
pub(crate) fn score(value: f32, worst: f32, limit: f32, best: f32) -> f32 {
    let beyond = (value - limit) / (best - limit);
    let short = (value - limit) / (limit - worst);
    let part = if beyond >= 0.0 { beyond } else { short };
    (0.5 + 0.5 * part).clamp(0.0, 1.0)
}

/// Two-sided: the worse of a lower and an upper limit. `range` is worst, limit and best from below, then best, limit and
/// worst from above, ascending.
pub(crate) fn within(value: f32, range: [f32; 6]) -> f32 {
    let [low_worst, low_limit, low_best, high_best, high_limit, high_worst] = range;
    score(value, low_worst, low_limit, low_best).min(score(value, high_worst, high_limit, high_best))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_scores_one_half_whichever_way_is_better() {
        for (value, expected) in [(0.0, 0.0), (1.0, 0.25), (2.0, 0.5), (4.0, 0.75), (6.0, 1.0), (9.0, 1.0), (-1.0, 0.0)]
        {
            assert_eq!(score(value, 0.0, 2.0, 6.0), expected, "{value}");
            assert_eq!(score(-value, 0.0, -2.0, -6.0), expected, "-{value}");
        }
    }

    #[test]
    fn a_range_fails_on_either_side() {
        let range = [0.0, 2.0, 3.0, 7.0, 8.0, 10.0];
        for (value, expected) in [(1.0, 0.25), (2.0, 0.5), (5.0, 1.0), (8.0, 0.5), (9.0, 0.25), (11.0, 0.0)] {
            assert_eq!(within(value, range), expected, "{value}");
        }
        assert!(within(f32::NAN, range).is_nan());
    }
}
