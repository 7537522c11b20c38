//! Face detection: the letterboxed frame through the model, its grid of cells decoded, overlapping boxes thinned out.

use super::{
    Face, Point, Rect,
    net::{checked, misfit},
    nms,
    pixels::Pixels,
    planes::Planes,
    resample::Resizer,
};
use crate::{
    Error,
    frame::Frame,
    pack::{CropRule, ModelSpec, OutputSpec, Pack, PackError, Role},
    runtime::{Model, Runtime, RuntimeError, Tensor},
    verdict::ModelRef,
};

/// The least longer side of a face, as a part of the frame's shorter side. Below it, people in the background, faces on
/// posters and textures that only look like faces would count: at 5 % a face in a 640x480 frame is 24 pixels high, a third
/// of what the smallest model's crop shows.
const MIN_SIDE: f32 = 0.05;

/// What the detector found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detection {
    /// What counts as a face: `face_score` of the manifest reached and not tiny. Largest first.
    pub faces: Vec<Face>,
    /// Everything that reached the manifest's `score`, after non-maximum suppression. Largest first.
    pub candidates: Vec<Face>,
    /// The longer side, in pixels, to which the frame was scaled when these were found; 0 where nothing was.
    pub longest: u32,
}

/// A loaded detector with its input tensor.
pub struct Detector {
    spec: ModelSpec,
    model: Box<dyn Model>,
    longest: Vec<u32>,
    grid: Grid,
    letterbox: Letterbox,
    outputs: Vec<String>,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").field("model", &self.spec.name).finish_non_exhaustive()
    }
}

impl Detector {
    /// Loads the pack's detector.
    ///
    /// # Errors
    /// [`Error::Pack`] where the pack has none, several, or one whose rules are not a detector's; [`Error::Runtime`] where
    /// it does not load.
    pub fn load(pack: &Pack, runtime: &dyn Runtime) -> Result<Self, Error> {
        let mut models = pack.models(Role::Detector);
        let Some((spec, onnx)) = models.next() else {
            let what = "there is no detector model".to_owned();
            return Err(PackError::Manifest { pack: pack.manifest().pack.id.clone(), what }.into());
        };
        if let Some((second, _)) = models.next() {
            return Err(misfit(pack, second, "the role can have one model only"));
        }
        let CropRule::Letterbox { longest } = &spec.input.crop else {
            return Err(misfit(pack, spec, "its crop rule is not letterbox"));
        };
        let OutputSpec::Yunet { strides, score, face_score, nms } = &spec.output else {
            return Err(misfit(pack, spec, "its output rule is not yunet"));
        };
        if longest.is_empty() || longest.contains(&0) || strides.is_empty() || strides.contains(&0) {
            return Err(misfit(pack, spec, "lengths and strides must be given and greater than 0"));
        }
        let outputs = strides
            .iter()
            .flat_map(|stride| ["cls", "obj", "bbox", "kps"].map(|part| format!("{part}_{stride}")))
            .collect();
        Ok(Self {
            spec: spec.clone(),
            model: runtime.load(&spec.name, onnx)?,
            longest: longest.clone(),
            grid: Grid { strides: strides.clone(), score: *score, face_score: *face_score, nms: *nms },
            letterbox: Letterbox::new(Planes::new(&spec.input)),
            outputs,
        })
    }

    /// Name and version.
    pub fn reference(&self) -> ModelRef {
        ModelRef { name: self.spec.name.clone(), version: self.spec.version.clone() }
    }

    /// Finds the faces of a frame.
    ///
    /// The frame is tried at each of the manifest's lengths until something counts as a face. The reference stops at the
    /// first candidate already; where that candidate is too weak to count, going on costs nothing but time and may find a
    /// face too large for the first length. Where none is found at any length, the candidates are those of the first
    /// length that had any.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the model breaks, or gives what is no number or no grid of its strides.
    pub fn detect(&mut self, frame: &Frame) -> Result<Detection, RuntimeError> {
        let Some(pixels) = Pixels::of(frame) else { return Ok(Detection::default()) };
        let mut weak = Detection::default();
        for index in 0..self.longest.len() {
            let Some(&longest) = self.longest.get(index) else { break };
            let placed = self.letterbox.fill(pixels, longest);
            let candidates = self.run(placed)?;
            let faces: Vec<Face> = candidates
                .iter()
                .filter(|face| self.grid.counts(face, pixels.width(), pixels.height()))
                .cloned()
                .collect();
            if !faces.is_empty() {
                return Ok(Detection { faces, candidates, longest });
            }
            if weak.candidates.is_empty() && !candidates.is_empty() {
                weak = Detection { faces, candidates, longest };
            }
        }
        Ok(weak)
    }

    /// Scales and letterboxes the frame as for the first attempt. The values are `[1, 3, height, width]`.
    pub fn prepare(&mut self, frame: &Frame) -> &[f32] {
        if let (Some(pixels), Some(&longest)) = (Pixels::of(frame), self.longest.first()) {
            self.letterbox.fill(pixels, longest);
        }
        self.letterbox.planes.data()
    }

    fn run(&mut self, placed: Placed) -> Result<Vec<Face>, RuntimeError> {
        let names: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        let planes = &self.letterbox.planes;
        let given = self.model.run(&self.spec.input.name, &self.spec.input.shape, planes.data(), &names)?;
        let tensors = checked(&self.spec.name, given, &names)?;
        let found = self.grid.decode(&tensors, planes.width(), planes.height());
        let mut faces = found.map_err(|what| RuntimeError::Run { model: self.spec.name.clone(), what })?;
        for face in &mut faces {
            placed.back(face);
        }
        faces.sort_by(|a, b| area(b).total_cmp(&area(a)));
        Ok(faces)
    }
}

fn area(face: &Face) -> f64 {
    f64::from(face.bbox.width) * f64::from(face.bbox.height)
}

/// The detector's input: the frame scaled down, never up, top left on black.
#[derive(Debug)]
struct Letterbox {
    planes: Planes,
    resizer: Resizer,
    used: (usize, usize),
}

/// How the frame lies in the letterbox: frame pixels per letterbox pixel along each axis.
#[derive(Debug, Clone, Copy)]
struct Placed {
    x: f64,
    y: f64,
}

impl Letterbox {
    fn new(planes: Planes) -> Self {
        Self { planes, resizer: Resizer::default(), used: (0, 0) }
    }

    fn fill(&mut self, pixels: Pixels<'_>, longest: u32) -> Placed {
        let (width, height) = (pixels.width(), pixels.height());
        let ratio = (f64::from(longest) / width.max(height) as f64).min(1.0);
        // Python's round, which the reference uses, goes to the even neighbour.
        let scaled =
            |length: usize, room: usize| ((length as f64 * ratio).round_ties_even() as usize).clamp(1, room.max(1));
        let used = (scaled(width, self.planes.width()), scaled(height, self.planes.height()));
        if used != self.used {
            self.planes.blacken();
            self.used = used;
        }
        self.resizer.resize(pixels, pixels.whole(), used.0, used.1, &mut self.planes);
        Placed { x: width as f64 / used.0 as f64, y: height as f64 / used.1 as f64 }
    }
}

impl Placed {
    fn back(self, face: &mut Face) {
        let scale = |value: &mut f32, by: f64| *value = (f64::from(*value) * by) as f32;
        scale(&mut face.bbox.x, self.x);
        scale(&mut face.bbox.y, self.y);
        scale(&mut face.bbox.width, self.x);
        scale(&mut face.bbox.height, self.y);
        for point in &mut face.landmarks {
            scale(&mut point.x, self.x);
            scale(&mut point.y, self.y);
        }
    }
}

/// YuNet's grids of cells and what is read from them.
#[derive(Debug, Clone)]
struct Grid {
    strides: Vec<u32>,
    score: f32,
    face_score: f32,
    nms: f32,
}

impl Grid {
    fn counts(&self, face: &Face, width: usize, height: usize) -> bool {
        let least = MIN_SIDE * width.min(height) as f32;
        face.score >= self.face_score && face.bbox.width.max(face.bbox.height) >= least
    }

    /// Decodes (Wu, Peng and Yu 2023, "YuNet"; OpenCV's `face_detect.cpp`): score = sqrt(cls * obj), centre =
    /// (cell + b01) * stride, size = exp(b23) * stride, landmark = (cell + k) * stride.
    fn decode(&self, tensors: &[Tensor], width: usize, height: usize) -> Result<Vec<Face>, String> {
        let mut found = Vec::new();
        let (levels, _) = tensors.as_chunks::<4>();
        for (&stride, [cls, obj, boxes, marks]) in self.strides.iter().zip(levels) {
            let columns = width / stride as usize;
            let cells = columns * (height / stride as usize);
            for (part, tensor, each) in [("cls", cls, 1), ("obj", obj, 1), ("bbox", boxes, 4), ("kps", marks, 10)] {
                if tensor.data.len() != cells * each {
                    let (expected, given) = (cells * each, tensor.data.len());
                    return Err(format!("output {part}_{stride} has {given} values instead of {expected}"));
                }
            }
            let (offsets, _) = boxes.data.as_chunks::<4>();
            let (points, _) = marks.data.as_chunks::<10>();
            let scores = cls.data.iter().zip(&obj.data).map(|(c, o)| (c.clamp(0.0, 1.0) * o.clamp(0.0, 1.0)).sqrt());
            for (cell, ((score, offset), points)) in scores.zip(offsets).zip(points).enumerate() {
                if score >= self.score {
                    let at = ((cell % columns) as f32, (cell / columns) as f32);
                    found.push(decode_cell(at, stride as f32, score, offset, points)?);
                }
            }
        }
        Ok(nms::thin_out(found, self.nms))
    }
}

fn decode_cell(
    (column, row): (f32, f32),
    stride: f32,
    score: f32,
    offset: &[f32; 4],
    points: &[f32; 10],
) -> Result<Face, String> {
    let [dx, dy, w, h] = *offset;
    let (cx, cy) = ((column + dx) * stride, (row + dy) * stride);
    let side = |exponent: f32| (f64::from(exponent).exp() * f64::from(stride)) as f32;
    let (width, height) = (side(w), side(h));
    if !(width.is_finite() && height.is_finite()) {
        return Err(format!("a box of stride {stride} has no finite size"));
    }
    let mut landmarks = [Point::default(); 5];
    for (landmark, [x, y]) in landmarks.iter_mut().zip(points.as_chunks::<2>().0) {
        *landmark = Point { x: (x + column) * stride, y: (y + row) * stride };
    }
    Ok(Face { bbox: Rect { x: cx - width / 2.0, y: cy - height / 2.0, width, height }, score, landmarks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{face::planes::tests::spec, pack::Colour};

    fn grid() -> Grid {
        Grid { strides: vec![8], score: 0.6, face_score: 0.7, nms: 0.3 }
    }

    fn tensor(data: Vec<f32>) -> Tensor {
        Tensor { shape: vec![data.len()], data }
    }

    /// One stride of 8 over 16x16 pixels: four cells, of which one holds a face.
    fn outputs(score: f32) -> Vec<Tensor> {
        let mut cls = vec![0.0; 4];
        cls[3] = score;
        let mut boxes = vec![0.0; 16];
        boxes[12..].copy_from_slice(&[0.5, 0.25, 0.0, 2.0_f32.ln()]);
        let mut marks = vec![0.0; 40];
        marks[30..32].copy_from_slice(&[0.125, 0.25]);
        vec![tensor(cls), tensor(vec![1.0; 4]), tensor(boxes), tensor(marks)]
    }

    #[test]
    fn a_cell_is_decoded() {
        let faces = grid().decode(&outputs(0.81), 16, 16).unwrap();
        assert_eq!(faces.len(), 1);
        let face = &faces[0];
        assert!((face.score - 0.9).abs() < 1e-6);
        assert_eq!((face.bbox.x, face.bbox.y, face.bbox.width), (8.0, 2.0, 8.0));
        assert!((face.bbox.height - 16.0).abs() < 1e-5);
        assert_eq!(face.landmarks[0], Point { x: 9.0, y: 10.0 });
    }

    #[test]
    fn wrong_shapes_and_endless_boxes_are_faults() {
        let mut short = outputs(0.81);
        short[2].data.pop();
        assert!(grid().decode(&short, 16, 16).unwrap_err().contains("bbox_8 has 15 values instead of 16"));
        let mut endless = outputs(0.81);
        endless[2].data[14] = 1e4;
        assert!(grid().decode(&endless, 16, 16).is_err());
    }

    #[test]
    fn weak_and_tiny_detections_are_candidates_but_no_faces() {
        let face = |score, side| Face {
            bbox: Rect { x: 0.0, y: 0.0, width: side, height: side / 2.0 },
            score,
            landmarks: [Point::default(); 5],
        };
        assert!(grid().counts(&face(0.7, 24.0), 640, 480));
        assert!(!grid().counts(&face(0.69, 24.0), 640, 480));
        assert!(!grid().counts(&face(0.9, 23.9), 640, 480));
    }

    #[test]
    fn the_letterbox_scales_down_and_keeps_the_rest_black() {
        let mut letterbox = Letterbox::new(Planes::new(&spec(8, 8, Colour::Bgr)));
        let samples = vec![200_u8; 16 * 8 * 3];
        let pixels = Pixels::new(16, 8, &samples).unwrap();
        let placed = letterbox.fill(pixels, 8);
        assert_eq!((placed.x, placed.y), (2.0, 2.0));
        let lit = |letterbox: &Letterbox| letterbox.planes.data().iter().filter(|&&value| value == 200.0).count();
        assert_eq!(lit(&letterbox), 3 * 8 * 4);
        // A smaller picture afterwards leaves nothing of the larger behind, and is not scaled up.
        let small = Pixels::new(3, 2, &samples[..18]).unwrap();
        letterbox.fill(small, 8);
        assert_eq!(lit(&letterbox), 3 * 6);
        // 5 * 0.5 is 2.5, which Python rounds to 2.
        let tall = Pixels::new(5, 10, &samples[..150]).unwrap();
        letterbox.fill(tall, 5);
        assert_eq!(letterbox.used, (2, 5));
    }
}
