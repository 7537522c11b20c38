//! What the rule on vendors is checked for: that it can be carried out, and that what it accepts was judged for
//! presentation attacks by somebody.

use super::{
    super::{Judges, PolicyConfig, Strategy, VendorRule},
    line,
};
use crate::verdict::CheckId;

/// Most vendors of one policy. Ours: room beyond the four there are, and an end to what one check can set off.
const MAX_VENDORS: usize = 8;

/// Shortest and longest deadline in milliseconds. Nothing is uploaded and judged in less than a tenth of a second; nobody
/// holds a phone for more than five minutes.
const DEADLINE_MS: std::ops::RangeInclusive<u64> = 100..=300_000;

/// Characters of an unknown id that an error repeats: ids are short, and the text may be anything.
const SHOWN: usize = 32;

/// The setting, and what is wrong with it.
type Fault = (&'static str, String);

/// Checks the rule; gives what each vendor of `ask` judges, in that order.
pub(super) fn check(config: &PolicyConfig, vendors: &dyn Fn(&str) -> Option<Judges>) -> Result<Vec<Judges>, Fault> {
    let rule = &config.vendors;
    numbers(rule)?;
    let judges = known(rule, vendors)?;
    quorum(rule)?;
    attacks(config, &judges)?;
    Ok(judges)
}

/// Whether vendors' answers take the place of a required attack check: where the strategy accepts nothing that no vendor
/// judged for presentation attacks. Under `escalate` they do so only for some captures, under `shadow` never.
pub(super) fn stand_for_attack_checks(config: &PolicyConfig, judges: &[Judges]) -> bool {
    let blind = judges.iter().filter(|judges| !judges.presentation_attack).count();
    match config.vendors.strategy {
        Strategy::First => !judges.is_empty() && blind == 0,
        Strategy::All => blind < judges.len(),
        // Of the answers that agree, at least one is by a vendor that looks.
        Strategy::Quorum => u64::try_from(blind).is_ok_and(|blind| blind < u64::from(config.vendors.quorum)),
        Strategy::Local | Strategy::Escalate | Strategy::Shadow => false,
    }
}

/// The lines of the version's hash. A policy that says nothing about vendors has none, as before there were any.
pub(super) fn lines(text: &mut String, rule: &VendorRule, judges: &[Judges]) {
    if *rule == VendorRule::default() {
        return;
    }
    let [from, to] = rule.unsure.map(f32::to_bits);
    line(text, "vendors.strategy", &rule.strategy.name());
    for (id, judges) in rule.ask.iter().zip(judges) {
        let mut axes = String::new();
        for (judged, axis) in [(judges.presentation_attack, 'p'), (judges.deepfake, 'd'), (judges.face_match, 'm')] {
            axes.extend(judged.then_some(axis));
        }
        line(text, "vendors.ask", &format_args!("{id} {axes}"));
    }
    line(text, "vendors.quorum", &rule.quorum);
    line(text, "vendors.unsure", &format_args!("{from:08x} {to:08x}"));
    line(text, "vendors.deadline_ms", &rule.deadline_ms);
    for (name, cost) in [
        ("vendors.max_cost_micros", rule.max_cost_micros),
        ("vendors.max_daily_cost_micros", rule.max_daily_cost_micros),
    ] {
        if let Some(cost) = cost {
            line(text, name, &cost);
        }
    }
}

fn numbers(rule: &VendorRule) -> Result<(), Fault> {
    let [from, to] = rule.unsure;
    // NaN is in no range.
    if !rule.unsure.iter().all(|score| (0.0..=1.0).contains(score)) || from > to {
        return Err(("vendors.unsure", format!("must be two scores within 0..=1, the lower first, is [{from}, {to}]")));
    }
    if !DEADLINE_MS.contains(&rule.deadline_ms) {
        let (from, to) = (DEADLINE_MS.start(), DEADLINE_MS.end());
        return Err(("vendors.deadline_ms", format!("must be {from}..={to}, is {}", rule.deadline_ms)));
    }
    Ok(())
}

/// The vendors of `ask`: none where nobody is asked, else some, each once, and all configured.
fn known(rule: &VendorRule, vendors: &dyn Fn(&str) -> Option<Judges>) -> Result<Vec<Judges>, Fault> {
    let fault = |what: String| Err(("vendors.ask", what));
    let strategy = rule.strategy.name();
    if rule.strategy == Strategy::Local {
        if rule.ask.is_empty() {
            return Ok(Vec::new());
        }
        return fault(format!("must be empty where vendors.strategy is {strategy}, which asks nobody"));
    }
    if !(1..=MAX_VENDORS).contains(&rule.ask.len()) {
        let count = rule.ask.len();
        return fault(format!(
            "must name 1..={MAX_VENDORS} vendors where vendors.strategy is {strategy}, names {count}"
        ));
    }
    let mut judges = Vec::new();
    for (place, id) in rule.ask.iter().enumerate() {
        if rule.ask.iter().take(place).any(|earlier| earlier == id) {
            return fault(format!("{} is named twice", shown(id)));
        }
        match vendors(id) {
            Some(known) => judges.push(known),
            None => return fault(format!("there is no vendor {id}: vendors.{id} is not configured", id = shown(id))),
        }
    }
    Ok(judges)
}

fn quorum(rule: &VendorRule) -> Result<(), Fault> {
    let fault = |what: String| Err(("vendors.quorum", what));
    if rule.strategy != Strategy::Quorum {
        return match rule.quorum {
            0 => Ok(()),
            is => fault(format!("must be 0 where vendors.strategy is {}, is {is}", rule.strategy.name())),
        };
    }
    let asked = rule.ask.len();
    match usize::try_from(rule.quorum) {
        // Two opinions could both have it otherwise.
        Ok(quorum) if quorum > asked / 2 && quorum <= asked => Ok(()),
        _ => fault(format!(
            "must be more than half of the vendors in vendors.ask, {}..={asked}, is {}",
            asked / 2 + 1,
            rule.quorum
        )),
    }
}

/// Whether whatever is accepted was judged for presentation attacks, here or by a vendor whose answer counts.
fn attacks(config: &PolicyConfig, judges: &[Judges]) -> Result<(), Fault> {
    let strategy = config.vendors.strategy;
    let local = config.required.contains(&CheckId::PresentationAttack);
    if strategy == Strategy::Escalate && !local {
        let what = "escalate needs PresentationAttack among the required checks: its score says when vendors are asked";
        return Err(("vendors.strategy", what.to_owned()));
    }
    let blind = config.vendors.ask.iter().zip(judges).find(|(_, judges)| !judges.presentation_attack);
    let what = match (strategy, blind) {
        (Strategy::Local | Strategy::Shadow, _) | (_, None) => return Ok(()),
        // The vendor decides in place of the local check, which was unsure.
        (Strategy::Escalate, Some((id, _))) => {
            format!("{id} does not judge presentation attacks, so escalate cannot ask it")
        }
        (Strategy::First | Strategy::All | Strategy::Quorum, _) if local || stand_for_attack_checks(config, judges) => {
            return Ok(());
        }
        (Strategy::First, Some((id, _))) => {
            format!("{id} does not judge presentation attacks: leave it out or require PresentationAttack")
        }
        (Strategy::All, Some(_)) => {
            "no vendor judges presentation attacks: name one that does or require PresentationAttack".to_owned()
        }
        (Strategy::Quorum, Some((id, _))) => format!(
            "{id} and others could make a quorum of vendors that do not judge presentation attacks: require \
             PresentationAttack"
        ),
    };
    Err(("vendors.ask", what))
}

/// An id as an error may show it, on one line.
fn shown(id: &str) -> String {
    id.escape_debug().take(SHOWN).collect()
}
