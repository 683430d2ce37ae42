//! Ids for tool calls that come without one.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 24;

/// `call_` and 24 letters or digits, the same for the same arguments. Different generations have
/// different ids, so that calls of two turns are never taken for one.
pub(crate) fn call_id(generation_id: &str, choice: u32, call: u32) -> String {
    // Two independent halves of 64 bits: enough that two ids never meet by accident.
    let mut streams = [0x51_7c_c1_b7_27_22_0a_95, 0x2b_e1_5a_9f_83_d4_c6_6b].map(|salt| {
        let mut hash = fnv1a(salt, generation_id.as_bytes());
        hash = fnv1a(hash, &choice.to_le_bytes());
        fnv1a(hash, &call.to_le_bytes())
    });
    let mut id = String::with_capacity(5 + LENGTH);
    id.push_str("call_");
    for at in 0..LENGTH {
        let [first, second] = &mut streams;
        let bits = splitmix(if at % 2 == 0 { first } else { second });
        let letter = usize::try_from(bits % 62).unwrap_or(0);
        id.push(char::from(ALPHABET.get(letter).copied().unwrap_or(b'0')));
    }
    id
}

/// A short name for a long text: eight letters or digits.
pub(crate) fn digest(text: &str) -> String {
    let mut state = fnv1a(0, text.as_bytes());
    (0..8)
        .map(|_| {
            let letter = usize::try_from(splitmix(&mut state) % 62).unwrap_or(0);
            char::from(ALPHABET.get(letter).copied().unwrap_or(b'0'))
        })
        .collect()
}

fn fnv1a(seed: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
