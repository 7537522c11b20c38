//! The input tensor of a model: three planes of floats, kept from frame to frame so that nothing is allocated per frame.

use crate::pack::{Colour, InputSpec};

/// A `[1, 3, height, width]` tensor with the model's channel order and normalisation.
#[derive(Debug)]
pub(crate) struct Planes {
    width: usize,
    height: usize,
    colour: Colour,
    /// Per plane: mean and standard deviation; `None` where the division alone is wanted.
    normalise: Option<[(f32, f32); 3]>,
    divide: f32,
    data: Vec<f32>,
}

impl Planes {
    /// Zeros in the shape of a model's input. A shape that is not `[1, 3, height, width]` gives as many values as it says,
    /// and the model refuses it.
    pub(crate) fn new(spec: &InputSpec) -> Self {
        let [_, _, height, width] = spec.shape;
        let plain = spec.mean == [0.0; 3] && spec.std == [1.0; 3];
        let [m, s] = [spec.mean, spec.std];
        let normalise = (!plain).then(|| [0, 1, 2].map(|i: usize| (pick(&m, i), pick(&s, i))));
        Self { width, height, colour: spec.colour, normalise, divide: spec.divide, data: vec![0.0; 3 * width * height] }
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// The values.
    pub(crate) fn data(&self) -> &[f32] {
        &self.data
    }

    /// Makes all of it black, normalised as any other sample is.
    pub(crate) fn blacken(&mut self) {
        self.data.fill(0.0);
        for y in 0..self.height {
            self.finish_row(y, self.width);
        }
    }

    /// Row `y` of the red, the green and the blue plane.
    pub(crate) fn rgb_rows(&mut self, y: usize) -> [&mut [f32]; 3] {
        let (start, end) = (y * self.width, (y + 1) * self.width);
        let mut planes = self.data.chunks_exact_mut((self.width * self.height).max(1));
        let mut next = || planes.next().and_then(|plane| plane.get_mut(start..end)).unwrap_or_default();
        let (first, second, third) = (next(), next(), next());
        match self.colour {
            Colour::Rgb => [first, second, third],
            Colour::Bgr => [third, second, first],
        }
    }

    /// Divides, then normalises the first `used` columns of row `y`, whose samples are 0..=255. In this order, and in 32
    /// bits, as the models' authors do it, so that the numbers are theirs to the last bit.
    pub(crate) fn finish_row(&mut self, y: usize, used: usize) {
        let (width, divide) = (self.width, self.divide);
        if divide == 1.0 && self.normalise.is_none() {
            return;
        }
        let planes = self.data.chunks_exact_mut((width * self.height).max(1));
        for (index, plane) in planes.enumerate() {
            let Some(row) = plane.get_mut(y * width..y * width + used.min(width)) else { continue };
            match self.normalise.as_ref().and_then(|channels| channels.get(index)) {
                Some(&(mean, std)) => row.iter_mut().for_each(|value| *value = (*value / divide - mean) / std),
                None => row.iter_mut().for_each(|value| *value /= divide),
            }
        }
    }

    /// Mirrors it left to right.
    pub(crate) fn mirror(&mut self) {
        self.data.chunks_exact_mut(self.width.max(1)).for_each(<[f32]>::reverse);
    }
}

fn pick(values: &[f32; 3], index: usize) -> f32 {
    values.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pack::CropRule;

    pub(crate) fn spec(width: usize, height: usize, colour: Colour) -> InputSpec {
        InputSpec {
            name: "input".to_owned(),
            shape: [1, 3, height, width],
            colour,
            divide: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            crop: CropRule::Arcface,
        }
    }

    #[test]
    fn planes_follow_the_colour_order() {
        for (colour, red_at) in [(Colour::Rgb, 0), (Colour::Bgr, 4)] {
            let mut planes = Planes::new(&spec(2, 1, colour));
            let [red, _, _] = planes.rgb_rows(0);
            red.copy_from_slice(&[1.0, 2.0]);
            assert_eq!(planes.data()[red_at..red_at + 2], [1.0, 2.0]);
            planes.mirror();
            assert_eq!(planes.data()[red_at..red_at + 2], [2.0, 1.0]);
        }
    }

    #[test]
    fn a_row_is_divided_then_normalised_up_to_its_used_part() {
        let mut wanted = spec(3, 1, Colour::Rgb);
        (wanted.divide, wanted.mean, wanted.std) = (255.0, [0.5, 0.0, 0.0], [0.25, 1.0, 1.0]);
        let mut planes = Planes::new(&wanted);
        for row in planes.rgb_rows(0) {
            row.fill(255.0);
        }
        planes.finish_row(0, 2);
        assert_eq!(planes.data(), [2.0, 2.0, 255.0, 1.0, 1.0, 255.0, 1.0, 1.0, 255.0]);
    }
}
