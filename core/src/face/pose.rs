//! Head pose under weak perspective: a head is small against its distance, so that the picture is a scaled parallel
//! projection of it (the first step of POSIT, DeMenthon and Davis 1995).
//!
//! Axes here: x to the right of the picture (the subject's left), y down, z away from the camera.

use super::{HeadPose, Point};

type Vector = [f64; 3];

/// The five landmarks on a generic head, centimetres: the centres of the eye corners (33 and 133, 263 and 362), the nose tip
/// (1) and the mouth corners (61, 291) of MediaPipe's `canonical_face_model.obj`, with y and z turned to the axes above.
const GENERIC: [Vector; 5] = [
    [-3.151146, -2.624638, -3.465663],
    [3.151146, -2.624638, -3.465663],
    [0.0, 1.126865, -7.475604],
    [-2.456206, 4.342621, -4.283884],
    [2.456206, 4.342621, -4.283884],
];

/// The pose from the five landmarks: the linear map from the generic head to the picture with the least squared error gives
/// two rows of a scaled rotation, the third is at right angles to both. `None` where the landmarks lie in one place.
pub(crate) fn from_landmarks(landmarks: &[Point; 5]) -> Option<HeadPose> {
    let mean = |values: [f64; 5]| values.iter().sum::<f64>() / 5.0;
    let centre: Vector =
        [mean(GENERIC.map(|[x, _, _]| x)), mean(GENERIC.map(|[_, y, _]| y)), mean(GENERIC.map(|[_, _, z]| z))];
    let head = GENERIC.map(|point| minus(point, centre));
    // The head is symmetric about x = 0: x does not mix with y and z, and the normal equations fall apart into one by one
    // and two by two.
    let sum = |f: &dyn Fn(&Vector) -> f64| head.iter().map(f).sum::<f64>();
    let (xx, yy, zz) = (sum(&|[x, _, _]| x * x), sum(&|[_, y, _]| y * y), sum(&|[_, _, z]| z * z));
    let yz = sum(&|[_, y, z]| y * z);
    let determinant = yy * zz - yz * yz;
    let solve = |values: [f64; 5]| -> Vector {
        let offset = mean(values);
        let (mut bx, mut by, mut bz) = (0.0, 0.0, 0.0);
        for (value, [x, y, z]) in values.iter().zip(&head) {
            let value = value - offset;
            (bx, by, bz) = (bx + value * x, by + value * y, bz + value * z);
        }
        [bx / xx, (by * zz - bz * yz) / determinant, (bz * yy - by * yz) / determinant]
    };
    let across = unit(solve(landmarks.map(|point| f64::from(point.x))))?;
    let down = unit(solve(landmarks.map(|point| f64::from(point.y))))?;
    let away = unit(cross(across, down))?;
    // Noise leaves the two rows a little off the right angle; each gives way by half.
    let across = unit(plus(across, cross(down, away)))?;
    let down = cross(away, across);
    // The rows hold the head's axes as columns.
    let column = |i: usize| -> Option<Vector> { Some([*across.get(i)?, *down.get(i)?, *away.get(i)?]) };
    Some(angles(column(0)?, column(2)?))
}

/// The pose from two axes of the head that were measured in space: from the subject's right to their left, and from the
/// forehead to the chin. `None` where they coincide.
pub(crate) fn from_axes(leftward: Vector, downward: Vector) -> Option<HeadPose> {
    let leftward = unit(leftward)?;
    let backward = unit(cross(leftward, downward))?;
    Some(angles(leftward, backward))
}

/// The angles of a head whose leftward and backward axes are these unit vectors.
fn angles([lx, ly, _]: Vector, [bx, by, bz]: Vector) -> HeadPose {
    let degrees = |radians: f64| radians.to_degrees() as f32;
    HeadPose { yaw: degrees((-bx).atan2(bz)), pitch: degrees((-by).atan2(bx.hypot(bz))), roll: degrees(-ly.atan2(lx)) }
}

fn minus([a, b, c]: Vector, [x, y, z]: Vector) -> Vector {
    [a - x, b - y, c - z]
}

fn plus([a, b, c]: Vector, [x, y, z]: Vector) -> Vector {
    [a + x, b + y, c + z]
}

fn cross([a, b, c]: Vector, [x, y, z]: Vector) -> Vector {
    [b * z - c * y, c * x - a * z, a * y - b * x]
}

fn unit([x, y, z]: Vector) -> Option<Vector> {
    let length = (x * x + y * y + z * z).sqrt();
    (length.is_finite() && length > 1e-9).then(|| [x / length, y / length, z / length])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generic head turned by yaw, then pitch, then roll as [`HeadPose`] signs them, seen from afar.
    fn seen(yaw: f64, pitch: f64, roll: f64) -> [Point; 5] {
        let (yaw, pitch, roll) = (yaw.to_radians(), pitch.to_radians(), roll.to_radians());
        GENERIC.map(|[x, y, z]| {
            // Down: the face, at negative z, moves to positive y.
            let (y, z) = (y * pitch.cos() - z * pitch.sin(), y * pitch.sin() + z * pitch.cos());
            // To the subject's left: the face moves to positive x.
            let (x, z) = (x * yaw.cos() - z * yaw.sin(), x * yaw.sin() + z * yaw.cos());
            let _ = z;
            // To the right shoulder: counter-clockwise in the picture.
            let (x, y) = (x * roll.cos() + y * roll.sin(), -x * roll.sin() + y * roll.cos());
            Point { x: (300.0 + 20.0 * x) as f32, y: (200.0 + 20.0 * y) as f32 }
        })
    }

    fn close(pose: HeadPose, yaw: f32, pitch: f32, roll: f32, within: f32) {
        let far = (pose.yaw - yaw).abs().max((pose.pitch - pitch).abs()).max((pose.roll - roll).abs());
        assert!(far < within, "{pose:?} is not {yaw} {pitch} {roll}");
    }

    #[test]
    fn single_turns_are_recovered_with_their_signs() {
        for angle in [-40.0, -10.0, 0.0, 25.0, 50.0] {
            close(from_landmarks(&seen(angle, 0.0, 0.0)).unwrap(), angle as f32, 0.0, 0.0, 0.01);
            close(from_landmarks(&seen(0.0, angle, 0.0)).unwrap(), 0.0, angle as f32, 0.0, 0.01);
            close(from_landmarks(&seen(0.0, 0.0, angle)).unwrap(), 0.0, 0.0, angle as f32, 0.01);
        }
    }

    #[test]
    fn looking_to_the_subjects_left_moves_the_nose_to_the_right_of_the_picture() {
        let mut landmarks = seen(0.0, 0.0, 0.0);
        landmarks[2].x += 15.0;
        assert!(from_landmarks(&landmarks).unwrap().yaw > 5.0);
        let mut landmarks = seen(0.0, 0.0, 0.0);
        landmarks[2].y += 15.0;
        assert!(from_landmarks(&landmarks).unwrap().pitch > 5.0);
    }

    #[test]
    fn landmarks_in_one_place_have_no_pose() {
        assert_eq!(from_landmarks(&[Point { x: 5.0, y: 5.0 }; 5]), None);
        assert_eq!(from_landmarks(&[Point { x: f32::NAN, y: 5.0 }; 5]), None);
    }

    #[test]
    fn axes_give_the_same_angles() {
        close(from_axes([1.0, 0.0, 0.0], [0.0, 2.0, 0.0]).unwrap(), 0.0, 0.0, 0.0, 1e-4);
        // Turned to the subject's left: the left side of the head goes away from the camera.
        let (s, c) = (30_f64.to_radians().sin(), 30_f64.to_radians().cos());
        close(from_axes([c, 0.0, s], [0.0, 1.0, 0.0]).unwrap(), 30.0, 0.0, 0.0, 1e-3);
        // Looking down: the chin goes away from the camera.
        close(from_axes([1.0, 0.0, 0.0], [0.0, c, s]).unwrap(), 0.0, 30.0, 0.0, 1e-3);
        close(from_axes([c, -s, 0.0], [s, c, 0.0]).unwrap(), 0.0, 0.0, 30.0, 1e-3);
        assert_eq!(from_axes([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]), None);
    }
}
