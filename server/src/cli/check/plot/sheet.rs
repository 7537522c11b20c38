//! The sheet that is drawn on: its size, its styles, and the few shapes that the plot is made of.

use svg::{
    Document, Node,
    node::element::{Description, Group, Line, Path, Rectangle, Style, Text, Title},
};

/// Width of the sheet, in the units of the SVG's view box.
pub(super) const WIDTH: f64 = 1060.0;

/// Where names begin.
pub(super) const MARGIN: f64 = 24.0;

/// Where the panels begin.
pub(super) const LEFT: f64 = 220.0;

/// Where they end.
pub(super) const RIGHT: f64 = 770.0;

/// Where the column of results begins.
pub(super) const RESULTS: f64 = RIGHT + 16.0;

/// Widths of letters differ from viewer to viewer; 12-unit sans-serif text is rarely wider than this a letter.
pub(super) const LETTER: f64 = 6.6;

/// Black on white, or white on black where the viewer prefers it. The colours are those of Okabe and Ito ("Color
/// universal design", 2008), which people with any kind of colour vision can tell apart; nothing hangs on them alone.
const STYLE: &str = "
text { font-family: system-ui, 'Segoe UI', 'Liberation Sans', Arial, sans-serif; font-size: 12px; fill: #1b1f24 }
.decision { font-size: 24px; font-weight: 700 }
.required, .section { font-weight: 700 }
.soft { fill: #57606a }
.small { font-size: 11px }
.middle { text-anchor: middle }
.end { text-anchor: end }
.sheet { fill: #ffffff }
.panel { fill: #f4f6f8 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.threshold { stroke: #1b1f24; stroke-width: 1.2; stroke-dasharray: 5 4 }
.score { fill: none; stroke: #0072b2; stroke-width: 2; stroke-linejoin: round }
.thin { stroke-width: 1 }
.dot { stroke: #0072b2; stroke-width: 1.4 }
.reached { fill: #0072b2 }
.below { fill: #ffffff }
.mark { fill: none; stroke: #1b1f24; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round }
.solid { fill: #1b1f24 }
.hint { fill: #e69f00; stroke: #8a5f00; stroke-width: 1 }
.chosen { stroke: #b3478b; stroke-width: 1.4; stroke-dasharray: 1 3; stroke-linecap: round }
.flag { fill: #b3478b }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.soft { fill: #9aa4ae }
.sheet { fill: #0d1117 }
.panel { fill: #161b22 }
.grid { stroke: #30363d }
.threshold { stroke: #e6edf3 }
.score { stroke: #56b4e9 }
.dot { stroke: #56b4e9 }
.reached { fill: #56b4e9 }
.below { fill: #0d1117 }
.mark { stroke: #e6edf3 }
.solid { fill: #e6edf3 }
.hint { stroke: #f0c05a }
.chosen { stroke: #e58fc4 }
.flag { fill: #e58fc4 }
}
";

/// What has been drawn so far, from the top downwards.
pub(super) struct Sheet {
    /// Panels and grid lines.
    under: Group,
    /// All else.
    over: Group,
    /// Where the next thing begins.
    pub(super) y: f64,
}

impl Sheet {
    pub(super) fn new() -> Self {
        Self { under: Group::new(), over: Group::new(), y: 0.0 }
    }

    /// Draws on what is there.
    pub(super) fn draw(&mut self, node: impl Into<Box<dyn Node>>) {
        self.over.append(node);
    }

    /// Draws beneath everything that `draw` draws.
    pub(super) fn lay(&mut self, node: impl Into<Box<dyn Node>>) {
        self.under.append(node);
    }

    /// Words whose foot is at `y`, beginning at `x` (or ending or centred there, as the class says).
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, words: &str) {
        self.draw(Text::new(printable(words)).set("class", class).set("x", at(x)).set("y", at(y)));
    }

    /// A panel from `self.y` down.
    pub(super) fn panel(&mut self, height: f64) {
        let (x, y, width) = (LEFT, at(self.y), RIGHT - LEFT);
        let panel = Rectangle::new().set("class", "panel").set("x", x).set("y", y);
        self.lay(panel.set("width", width).set("height", height));
    }

    /// The whole document.
    pub(super) fn finish(self, title: &str, description: &str) -> String {
        let height = at(self.y);
        let document = Document::new()
            .set("viewBox", (0, 0, WIDTH, height))
            .set("width", WIDTH)
            .set("height", height)
            .set("role", "img")
            .set("aria-labelledby", "title description")
            .add(Title::new(printable(title)).set("id", "title"))
            .add(Description::new().set("id", "description").add(svg::node::Text::new(printable(description))))
            .add(Style::new(STYLE))
            .add(Rectangle::new().set("class", "sheet").set("width", WIDTH).set("height", height))
            .add(self.under)
            .add(self.over);
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{document}\n")
    }
}

/// A straight line.
pub(super) fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Line {
    let line = Line::new().set("class", class).set("x1", at(from.0)).set("y1", at(from.1));
    line.set("x2", at(to.0)).set("y2", at(to.1))
}

/// A path of these commands.
pub(super) fn path(class: &str, commands: String) -> Path {
    Path::new().set("class", class).set("d", commands)
}

/// A shape that says what it is when one points at it.
pub(super) fn named(class: &str, name: &str, shape: impl Into<Box<dyn Node>>) -> Group {
    Group::new().set("class", class).add(Title::new(printable(name))).add(shape)
}

/// A tenth of a unit is finer than a screen shows.
pub(super) fn at(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

/// Names of policies and packs are an operator's own: what XML 1.0 has no place for (section 2.2) is replaced.
fn printable(words: &str) -> String {
    let forbidden = |letter: char| letter.is_control() || matches!(letter, '\u{FFFE}' | '\u{FFFF}');
    words.chars().map(|letter| if forbidden(letter) { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}
