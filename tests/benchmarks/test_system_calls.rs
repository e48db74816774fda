use crate::experiments::system_calls::total;

#[test]
fn the_calls_of_each_kind_are_added_up() {
    let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 69.23    0.000018           9         2           munmap
 30.77    0.000008           1         8         3 pread64
------ ----------- ----------- --------- --------- ----------------
100.00    0.000026           2        10         3 total
";
    assert_eq!(total(summary), Some(10));
    assert_eq!(total(""), None);
}
