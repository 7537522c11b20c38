//! The face mesh: 468 points in space, and what follows from them about eyes, mouth and pose.

use super::{Face, HeadPose, Point, net::Net, pose, resample::Affine};
use crate::{
    Error,
    frame::Frame,
    pack::{OutputSpec, Pack, Role},
    runtime::{Runtime, RuntimeError},
    verdict::ModelRef,
};

/// Points of MediaPipe's face mesh.
const COUNT: usize = 468;

/// Outer corner, two points of the upper lid, inner corner, two points of the lower lid; in pairs from outside in.
const RIGHT_EYE: [usize; 6] = [33, 160, 158, 133, 153, 144];
/// The same of the left eye, from inside out.
const LEFT_EYE: [usize; 6] = [362, 385, 387, 263, 373, 380];
/// Inner upper lip, inner lower lip, right and left inner corner.
const MOUTH: [usize; 4] = [13, 14, 78, 308];
/// The outer eye corners and the middle line's ends: the head's leftward and downward axes. On MediaPipe's
/// `canonical_face_model.obj` both lie within 1 degree of the head's own axes.
const AXES: [usize; 4] = [33, 263, 10, 152];
/// The nose tip and the sides of the face.
const YAW: [usize; 3] = [1, 234, 454];

/// The mesh model of a pack.
#[derive(Debug)]
pub struct Mesher {
    net: Net,
}

/// A face's mesh.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// P(there is a face in the crop), 0..=1.
    pub face_probability: f32,
    /// The points in pixels of the frame, with z away from the camera in the same scale, zero at the head's middle.
    pub points: Vec<[f64; 3]>,
    /// Opening of the subject's right eye: the mean of two lid distances over the distance of its corners (Soukupová and
    /// Čech 2016, "Real-Time Eye Blink Detection using Facial Landmarks", equation 1).
    pub right_eye_aspect: f32,
    /// The same of the left eye.
    pub left_eye_aspect: f32,
    /// Opening of the mouth: lip distance over corner distance.
    pub mouth_aspect: f32,
    /// The nose tip's offset from the middle of the face's sides, in face widths; positive towards the right of the
    /// levelled crop.
    pub yaw_offset: f32,
    /// From the mesh's axes.
    pub pose: Option<HeadPose>,
}

impl Mesher {
    /// Loads it; `None` where the pack has none.
    ///
    /// # Errors
    /// [`Error::Pack`] where its rules are not a mesh's, or there are several; [`Error::Runtime`] where it does not load.
    pub fn load(pack: &Pack, runtime: &dyn Runtime) -> Result<Option<Self>, Error> {
        let fits = |rule: &OutputSpec| matches!(rule, OutputSpec::Mesh468 { .. });
        Ok(Net::load_one(pack, Role::Mesh, runtime, fits)?.map(|net| Self { net }))
    }

    /// Name and version.
    pub fn reference(&self) -> ModelRef {
        self.net.reference()
    }

    /// Fits the mesh to a face.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the model breaks or gives another number of points.
    pub fn fit(&mut self, frame: &Frame, face: &Face) -> Result<Mesh, RuntimeError> {
        let OutputSpec::Mesh468 { points, flag } = self.net.output().clone() else {
            return Err(self.net.fault("its output rule is not mesh468"));
        };
        self.net.cut(frame, face);
        let tensors = self.net.run(&[&points, &flag])?;
        let mut values = tensors.into_iter().map(|tensor| tensor.data);
        let (coordinates, flags) = (values.next().unwrap_or_default(), values.next().unwrap_or_default());
        let (triples, rest) = coordinates.as_chunks::<3>();
        if triples.len() != COUNT || !rest.is_empty() {
            let what = format!("output {points} has {} values instead of {}", coordinates.len(), 3 * COUNT);
            return Err(self.net.fault(what));
        }
        let &[flag_value] = flags.as_slice() else {
            return Err(self.net.fault(format!("output {flag} has {} values instead of 1", flags.len())));
        };
        let Some(map) = self.net.crop().map() else {
            return Err(self.net.fault("its crop rule has no map back to the frame"));
        };
        Ok(read(triples, flag_value, map))
    }
}

fn read(triples: &[[f32; 3]], flag: f32, map: &Affine) -> Mesh {
    let [[ax, bx, cx], [ay, by, cy]] = *map;
    let scale = ax.hypot(ay);
    let points: Vec<[f64; 3]> = triples
        .iter()
        .map(|triple| {
            let [x, y, z] = triple.map(f64::from);
            [ax * x + bx * y + cx, ay * x + by * y + cy, z * scale]
        })
        .collect();
    // Every index is a constant below the number of points, which was checked.
    let at = |index: usize| points.get(index).copied().unwrap_or_default();
    let raw = |index: usize| f64::from(triples.get(index).copied().unwrap_or_default()[0]);
    let between = |a: usize, b: usize| {
        let ([x0, y0, _], [x1, y1, _]) = (at(a), at(b));
        (x1 - x0).hypot(y1 - y0)
    };
    let eye = |[outer, upper_a, upper_b, inner, lower_b, lower_a]: [usize; 6]| {
        ((between(upper_a, lower_a) + between(upper_b, lower_b)) / (2.0 * between(outer, inner) + 1e-9)) as f32
    };
    let axis = |from: usize, to: usize| {
        let ([x0, y0, z0], [x1, y1, z1]) = (at(from), at(to));
        [x1 - x0, y1 - y0, z1 - z0]
    };
    let [upper, lower, right, left] = MOUTH;
    let [right_corner, left_corner, forehead, chin] = AXES;
    let [nose, right_side, left_side] = YAW;
    let middle = (raw(right_side) + raw(left_side)) / 2.0;
    Mesh {
        face_probability: flag,
        right_eye_aspect: eye(RIGHT_EYE),
        left_eye_aspect: eye(LEFT_EYE),
        mouth_aspect: (between(upper, lower) / (between(right, left) + 1e-9)) as f32,
        yaw_offset: ((raw(nose) - middle) / ((raw(left_side) - raw(right_side)).abs() + 1e-9)) as f32,
        pose: pose::from_axes(axis(right_corner, left_corner), axis(forehead, chin)),
        points,
    }
}

impl Mesh {
    /// A point in pixels of the frame.
    pub fn point(&self, index: usize) -> Option<Point> {
        self.points.get(index).map(|&[x, y, _]| Point { x: x as f32, y: y as f32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Affine = [[2.0, 0.0, 10.0], [0.0, 2.0, 20.0]];

    fn mesh() -> Vec<[f32; 3]> {
        let mut points = vec![[0.0; 3]; COUNT];
        // Eyes 20 wide and 6 high, the left one shut.
        for (index, point) in RIGHT_EYE.iter().zip([(0., 0.), (5., -3.), (15., -3.), (20., 0.), (15., 3.), (5., 3.)]) {
            points[*index] = [40.0 + point.0, 60.0 + point.1, 0.0];
        }
        for (index, x) in LEFT_EYE.iter().zip([0., 5., 15., 20., 15., 5.]) {
            points[*index] = [100.0 + x, 60.0, 0.0];
        }
        points[10] = [80.0, 20.0, 0.0];
        points[152] = [80.0, 160.0, 0.0];
        points
    }

    #[test]
    fn eye_openings_are_ratios() {
        let mesh = read(&mesh(), 0.9, &MAP);
        assert!((mesh.right_eye_aspect - 0.3).abs() < 1e-6);
        assert!(mesh.left_eye_aspect.abs() < 1e-6);
        assert_eq!(mesh.point(10), Some(Point { x: 170.0, y: 60.0 }));
        assert_eq!(mesh.point(COUNT), None);
        let pose = mesh.pose.unwrap();
        assert!(pose.yaw.abs() < 1e-3 && pose.pitch.abs() < 1e-3 && pose.roll.abs() < 1e-3);
    }

    #[test]
    fn depth_turns_the_head() {
        let mut points = mesh();
        // The subject's left eye farther away than the right: looking to their left.
        points[263][2] = 80.0;
        assert!(read(&points, 0.9, &MAP).pose.unwrap().yaw > 40.0);
    }

    #[test]
    fn a_mesh_in_one_point_has_no_pose_and_no_nan() {
        let mesh = read(&[[1.0; 3]; COUNT], 0.0, &MAP);
        assert_eq!(mesh.pose, None);
        assert!(mesh.right_eye_aspect.is_finite() && mesh.mouth_aspect.is_finite() && mesh.yaw_offset.is_finite());
    }
}
