;; A chain of hashes: 256 bits, stirred once per step by additions, rotations and a multiplication.
;; Input: the number of steps in 8 bytes, little-endian. Output: the 32 bytes that are left.
(module
  (memory (export "memory") 1)
  (func (export "reserve") (param $size i32) (result i32) (i32.const 1024))
  (func (export "run") (param $input i32) (param $size i32) (result i64)
    (local $left i64) (local $a i64) (local $b i64) (local $c i64) (local $d i64)
    (local.set $left (i64.load (local.get $input)))
    (local.set $a (i64.const SEED_0))
    (local.set $b (i64.const SEED_1))
    (local.set $c (i64.const SEED_2))
    (local.set $d (i64.const SEED_3))
    (block $done
      (loop $step
        (br_if $done (i64.eqz (local.get $left)))
        (local.set $a (i64.add (i64.mul (local.get $a) (i64.const ODD_0)) (local.get $b)))
        (local.set $d (i64.rotl (i64.xor (local.get $d) (local.get $a)) (i64.const 29)))
        (local.set $c (i64.add (local.get $c) (i64.xor (local.get $d) (local.get $left))))
        (local.set $b (i64.rotl (i64.xor (local.get $b) (local.get $c)) (i64.const 17)))
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br $step)))
    (i64.store (i32.const 0) (local.get $a))
    (i64.store (i32.const 8) (local.get $b))
    (i64.store (i32.const 16) (local.get $c))
    (i64.store (i32.const 24) (local.get $d))
    (i64.const 32)))
