;; Sieves windows of 32,768 numbers, one per step: each number gets a mark for every odd divisor
;; below 256 that it has, and the marks are folded into a hash.
;; Input: the number of windows in 8 bytes, little-endian. Output: the numbers without a mark, the
;; hash, and where the next window would begin, in 8 bytes each, and 8 bytes of zeros.
(module
  (memory (export "memory") 2)
  (func (export "reserve") (param $size i32) (result i32) (i32.const 1024))
  (func $mark (param $start i64)
    (local $divisor i64) (local $at i32)
    (local.set $divisor (i64.const 3))
    (loop $next
      ;; The first multiple in the window.
      (local.set $at (i32.wrap_i64 (i64.rem_u
        (i64.sub (local.get $divisor) (i64.rem_u (local.get $start) (local.get $divisor)))
        (local.get $divisor))))
      (block $out
        (loop $multiple
          (br_if $out (i32.ge_u (local.get $at) (i32.const 32768)))
          (i32.store8 offset=65536 (local.get $at)
            (i32.add (i32.load8_u offset=65536 (local.get $at)) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.wrap_i64 (local.get $divisor))))
          (br $multiple)))
      (local.set $divisor (i64.add (local.get $divisor) (i64.const 2)))
      (br_if $next (i64.lt_u (local.get $divisor) (i64.const 256)))))
  (func (export "run") (param $input i32) (param $size i32) (result i64)
    (local $left i64) (local $start i64) (local $hash i64) (local $free i64) (local $at i32)
    (local $marks i32)
    (local.set $left (i64.load (local.get $input)))
    (local.set $start (i64.shr_u (i64.const SEED_0) (i64.const 8)))
    (local.set $hash (i64.const SEED_1))
    (block $done
      (loop $window
        (br_if $done (i64.eqz (local.get $left)))
        (call $mark (local.get $start))
        (local.set $at (i32.const 0))
        (loop $fold
          (local.set $marks (i32.load8_u offset=65536 (local.get $at)))
          (local.set $free (i64.add (local.get $free)
            (i64.extend_i32_u (i32.eqz (local.get $marks)))))
          (local.set $hash (i64.mul
            (i64.xor (local.get $hash) (i64.extend_i32_u (local.get $marks))) (i64.const ODD_0)))
          (i32.store8 offset=65536 (local.get $at) (i32.const 0))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $fold (i32.lt_u (local.get $at) (i32.const 32768))))
        (local.set $start (i64.add (local.get $start) (i64.const 32768)))
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br $window)))
    (i64.store (i32.const 0) (local.get $free))
    (i64.store (i32.const 8) (local.get $hash))
    (i64.store (i32.const 16) (local.get $start))
    (i64.store (i32.const 24) (i64.const 0))
    (i64.const 32)))
