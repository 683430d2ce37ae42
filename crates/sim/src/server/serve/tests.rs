use super::draw;

#[test]
fn draws_repeat_and_spread() {
    assert!((draw(7, 3) - draw(7, 3)).abs() < f64::EPSILON);
    let below = (1..=1000).filter(|number| draw(7, *number) < 0.25).count();
    assert!((200..300).contains(&below), "{below}");
    assert!((1..=1000).all(|number| (0.0..1.0).contains(&draw(9, number))));
}
