//! Whole videos through decoder, models and session: real clips, made ones, and reference images. Needs the feature `video`.

#[cfg(test)]
mod clips;
#[cfg(test)]
mod references;
#[cfg(test)]
mod support;
