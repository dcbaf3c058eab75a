;; Points of the Mandelbrot set in whole numbers with 28 binary places: each takes up to 500 turns,
;; and how many it took is folded into a hash. A small stride leads from point to point.
;; Input: the number of turns altogether in 8 bytes, little-endian. Output: the points, the hash,
;; and the last point's coordinates, in 8 bytes each.
(module
  (memory (export "memory") 1)
  (func (export "reserve") (param $size i32) (result i32) (i32.const 1024))
  (func (export "run") (param $input i32) (param $size i32) (result i64)
    (local $left i64) (local $hash i64) (local $points i64) (local $turns i64)
    (local $re i64) (local $im i64) (local $x i64) (local $y i64) (local $xx i64) (local $yy i64)
    (local.set $left (i64.load (local.get $input)))
    (local.set $hash (i64.const SEED_0))
    (local.set $re (i64.and (i64.const SEED_1) (i64.const 0x1fffffff)))
    (local.set $im (i64.and (i64.const SEED_2) (i64.const 0x1fffffff)))
    (block $done
      (loop $point
        ;; Coordinates wrap at 2: between -1.5 and 0.5, and between -1 and 1.
        (local.set $re (i64.and
          (i64.add (local.get $re) (i64.and (i64.const SEED_3) (i64.const 0xfffff)))
          (i64.const 0x1fffffff)))
        (local.set $im (i64.and
          (i64.add (local.get $im) (i64.and (i64.const ODD_0) (i64.const 0xfffff)))
          (i64.const 0x1fffffff)))
        (local.set $x (i64.const 0))
        (local.set $y (i64.const 0))
        (local.set $turns (i64.const 0))
        (block $away
          (loop $turn
            (br_if $done (i64.eqz (local.get $left)))
            (local.set $left (i64.sub (local.get $left) (i64.const 1)))
            (local.set $turns (i64.add (local.get $turns) (i64.const 1)))
            (local.set $xx (i64.shr_s (i64.mul (local.get $x) (local.get $x)) (i64.const 28)))
            (local.set $yy (i64.shr_s (i64.mul (local.get $y) (local.get $y)) (i64.const 28)))
            (br_if $away
              (i64.gt_s (i64.add (local.get $xx) (local.get $yy)) (i64.const 0x40000000)))
            (local.set $y (i64.add
              (i64.shr_s (i64.mul (local.get $x) (local.get $y)) (i64.const 27))
              (i64.sub (local.get $im) (i64.const 0x10000000))))
            (local.set $x (i64.add
              (i64.sub (local.get $xx) (local.get $yy))
              (i64.sub (local.get $re) (i64.const 0x18000000))))
            (br_if $turn (i64.lt_u (local.get $turns) (i64.const 500)))))
        (local.set $points (i64.add (local.get $points) (i64.const 1)))
        (local.set $hash (i64.mul
          (i64.xor (local.get $hash) (local.get $turns)) (i64.const ODD_1)))
        (br $point)))
    (i64.store (i32.const 0) (local.get $points))
    (i64.store (i32.const 8) (local.get $hash))
    (i64.store (i32.const 16) (local.get $re))
    (i64.store (i32.const 24) (local.get $im))
    (i64.const 32)))
