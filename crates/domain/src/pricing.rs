//! Where a price meets a quantity: the worst case before a call, the charge after it.
//!
//! Every product is `i128`; a charge is rounded once, up, to a nano-dollar.

use crate::catalogue::Prices;
use crate::money::{Money, Price, ceil_div};
use crate::usage::Usage;

/// One component of a charge: so many units at such a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeLine {
    /// `prompt`, `cache_read`, `completion`, `request`, … (the price list's own words).
    pub name: &'static str,
    pub units: u64,
    pub price: Price,
    /// Which direction the component counts towards in `cost_details`.
    pub side: Side,
}

/// The direction a component is reported under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Prompt,
    Completion,
    /// Per request, per search: counted in the total only.
    Fixed,
}

impl ChargeLine {
    fn pico(&self) -> i128 {
        i128::from(self.units) * i128::from(self.price.pico())
    }

    /// This component alone, rounded up: for display. The charge is rounded as a whole.
    pub fn cost(&self) -> Money {
        to_nano(self.pico())
    }
}

/// What one answer costs, and how that came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    pub total: Money,
    pub lines: Vec<ChargeLine>,
}

impl Charge {
    /// The components of one side, rounded up as a sum: for display.
    pub fn side(&self, side: Side) -> Money {
        to_nano(
            self.lines
                .iter()
                .filter(|line| line.side == side)
                .map(ChargeLine::pico)
                .sum(),
        )
    }
}

/// Pico-dollars to nano-dollars, up.
fn to_nano(pico: i128) -> Money {
    Money::from_i128(ceil_div(pico, 1_000))
}
