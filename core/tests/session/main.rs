//! Sessions and policies, driven from outside with made-up frame analyses: no model, no media.

#[cfg(test)]
mod policies;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod references;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vendors;
#[cfg(test)]
mod verdicts;
#[cfg(test)]
mod videos;
