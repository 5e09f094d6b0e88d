<?php
// How both benches measure: the least of some rounds, in nanoseconds of CPU a call.

function cpu_ns(): float
{
    $usage = getrusage();
    return ($usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']) * 1e9 + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) * 1e3;
}

function cost(callable $work, int $calls, int $rounds = 9): float
{
    $best = INF;
    for ($round = 0; $round < $rounds; $round++) {
        $before = cpu_ns();
        $work($calls);
        $best = min($best, (cpu_ns() - $before) / $calls);
    }
    return $best;
}
