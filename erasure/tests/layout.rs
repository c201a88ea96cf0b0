//! Laws of the layout: every byte of an extent has one place, and the sizes add up.

use asterism_erasure::{
    CELL_BYTES_MAX, EXTENT_BYTES_MAX, Layout, LayoutError, Policy, SHARDS_MAX, cell_stride,
};
use proptest::prelude::*;

fn layout(policy: &str, cell_bytes: usize, extent_bytes: u64) -> Layout {
    let policy = policy.parse().expect("the text is a policy");
    Layout::new(policy, cell_bytes, extent_bytes).expect("the sizes are within the limits")
}

/// The content bytes and the cell bytes of each stripe.
fn check(layout: Layout, expected: &[(usize, usize)]) {
    let stripes: Vec<_> =
        (0..layout.stripes()).map(|i| (layout.stripe_bytes(i), layout.cell_bytes(i))).collect();
    assert_eq!(stripes, expected, "{layout:?}");
    check_laws(layout);
}

fn check_laws(layout: Layout) {
    let stripes = layout.stripes();
    let policy = layout.policy();
    assert_eq!(layout.cells(), stripes);
    let (mut content, mut shard) = (0, 0);
    for stripe in 0..stripes {
        assert_eq!((layout.stripe_start(stripe), layout.cell_start(stripe)), (content, shard));
        assert!(layout.stripe_bytes(stripe) > 0, "stripe {stripe} is empty");
        assert!(layout.cell_bytes(stripe) <= layout.full_cell_bytes());
        assert!(stripe + 1 == stripes || layout.stripe_bytes(stripe) == layout.full_stripe_bytes());
        check_cells(layout, stripe);
        content += layout.stripe_bytes(stripe) as u64;
        shard += layout.cell_bytes(stripe) as u64;
    }
    assert_eq!((content, shard), (layout.extent_bytes(), layout.shard_bytes()));
    let padding = layout.shard_bytes() * policy.data() as u64 - layout.extent_bytes();
    assert!(padding < policy.data() as u64, "{padding} bytes of padding");
    check_past_the_end(layout);
}

/// The cells of a stripe hold its content without gap or overlap, and all but the last of them that hold any are full.
fn check_cells(layout: Layout, stripe: u32) {
    let mut end = 0;
    for slot in 0..layout.policy().data() {
        let content = layout.cell_content(stripe, slot);
        assert_eq!(content.start, end, "stripe {stripe}, slot {slot}");
        assert!(content.len() == layout.cell_bytes(stripe) || content.end == layout.stripe_bytes(stripe));
        end = content.end;
    }
    assert_eq!(end, layout.stripe_bytes(stripe));
    assert!(layout.cell_content(stripe, layout.policy().data()).is_empty());
    assert!(layout.cell_content(stripe, usize::MAX).is_empty());
}

fn check_past_the_end(layout: Layout) {
    for stripe in [layout.stripes(), layout.stripes() + 1, u32::MAX] {
        assert_eq!((layout.stripe_bytes(stripe), layout.cell_bytes(stripe)), (0, 0));
        assert_eq!(layout.stripe_start(stripe), layout.extent_bytes());
        assert_eq!(layout.cell_start(stripe), layout.shard_bytes());
        assert!(layout.cell_content(stripe, 0).is_empty());
    }
    assert_eq!(layout.stripe_of(layout.extent_bytes()), None);
    assert_eq!(layout.stripe_of(u64::MAX), None);
}

#[test]
fn an_empty_extent_has_no_stripe() {
    check(layout("4+2", 1_024, 0), &[]);
    assert_eq!(layout("4+2", 1_024, 0).shard_bytes(), 0);
}

#[test]
fn one_byte_needs_cells_of_one_byte() {
    check(layout("4+2", 1_024, 1), &[(1, 1)]);
}

#[test]
fn the_last_stripe_has_cells_as_small_as_its_rest_allows() {
    check(layout("4+2", 10, 39), &[(39, 10)]);
    check(layout("4+2", 10, 40), &[(40, 10)]);
    check(layout("4+2", 10, 41), &[(40, 10), (1, 1)]);
    check(layout("4+2", 10, 45), &[(40, 10), (5, 2)]);
    check(layout("4+2", 10, 80), &[(40, 10), (40, 10)]);
    check(layout("1+2", 10, 25), &[(10, 10), (10, 10), (5, 5)]);
}

#[test]
fn cells_past_the_rest_are_all_padding() {
    let layout = layout("4+2", 10, 5);
    let contents: Vec<_> = (0..6).map(|slot| layout.cell_content(0, slot)).collect();
    assert_eq!(contents, [0..2, 2..4, 4..5, 5..5, 5..5, 5..5]);
}

#[test]
fn the_largest_extent_fits() {
    let layout = layout("4+2", CELL_BYTES_MAX, EXTENT_BYTES_MAX);
    assert_eq!((layout.stripes(), layout.shard_bytes()), (64, 16 << 20));
    check_laws(layout);
}

#[test]
fn sizes_past_the_limits_are_refused() {
    let policy = Policy::new(4, 2).unwrap();
    assert_eq!(Layout::new(policy, 0, 1), Err(LayoutError::CellBytes(0)));
    assert_eq!(Layout::new(policy, CELL_BYTES_MAX + 1, 1), Err(LayoutError::CellBytes(CELL_BYTES_MAX + 1)));
    assert_eq!(
        Layout::new(policy, 1, EXTENT_BYTES_MAX + 1),
        Err(LayoutError::ExtentBytes(EXTENT_BYTES_MAX + 1))
    );
    assert_eq!(Layout::new(policy, 1, u64::MAX), Err(LayoutError::ExtentBytes(u64::MAX)));
}

#[test]
fn a_range_touches_the_stripes_that_hold_it() {
    let layout = layout("4+2", 10, 100);
    let range = |start, end| layout.stripe_range(start..end);
    assert_eq!(range(0, 1), 0..1);
    assert_eq!(range(39, 40), 0..1);
    assert_eq!(range(39, 41), 0..2);
    assert_eq!(range(40, 80), 1..2);
    assert_eq!(range(0, u64::MAX), 0..3);
    assert_eq!(range(99, 100), 2..3);
    assert!(range(100, 200).is_empty());
    assert!(range(5, 5).is_empty());
    assert!(range(7, 3).is_empty());
    assert!(range(u64::MAX, u64::MAX).is_empty());
}

#[test]
fn cells_in_one_buffer_do_not_compete_for_the_cache() {
    for cell_bytes in [0, 1, 64, 1_000, 64 << 10, CELL_BYTES_MAX] {
        assert!(cell_stride(cell_bytes) >= cell_bytes);
        assert!(cell_stride(cell_bytes).is_multiple_of(64));
    }
    // Sixteen cells begin at sixteen different lines of a page.
    let lines = (0..16).map(|cell| cell * cell_stride(64 << 10) % 4_096 / 64);
    assert_eq!(lines.collect::<std::collections::HashSet<_>>().len(), 16);
}

proptest! {
    #[test]
    fn the_laws_hold_for_any_layout(data in 1..=SHARDS_MAX, cell_bytes in 1usize..3_000, extent_bytes in 0u64..200_000) {
        check_laws(Layout::new(Policy::new(data, 0).unwrap(), cell_bytes, extent_bytes).unwrap());
    }

    #[test]
    fn every_byte_is_in_the_stripe_that_is_said_to_hold_it(
        data in 1..=SHARDS_MAX,
        cell_bytes in 1..=CELL_BYTES_MAX,
        extent_bytes in 1..=EXTENT_BYTES_MAX,
        start: u64,
        end: u64,
    ) {
        let layout = Layout::new(Policy::new(data, 0).unwrap(), cell_bytes, extent_bytes).unwrap();
        let (start, end) = (start % extent_bytes, end % extent_bytes);
        let (start, end) = (start.min(end), start.max(end));
        let first = layout.stripe_of(start).unwrap();
        let last = layout.stripe_of(end).unwrap();
        prop_assert!(layout.stripe_start(first) <= start && start < layout.stripe_start(first + 1));
        prop_assert_eq!(layout.stripe_range(start..end + 1), first..last + 1);
    }
}
