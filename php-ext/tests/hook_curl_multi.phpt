--TEST--
Each transfer of curl_multi has a span of its own, in whatever order it is read, taken out or left
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$closed = Web::closedPort();
$child = run_php(<<<PHP
    use Spanmill\{Span, Tracer};
    function transfer(string \$url): CurlHandle {
        \$curl = curl_init(\$url);
        curl_setopt_array(\$curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT_MS => 10000]);
        return \$curl;
    }
    function drive(CurlMultiHandle \$set): void {
        do {
            curl_multi_exec(\$set, \$running);
            \$running && curl_multi_select(\$set, 1);
        } while (\$running);
    }
    \$set = curl_multi_init();
    \$job = Tracer::start('read after the end');
    [\$a, \$b] = [transfer('$web->url/ok?a'), transfer('http://127.0.0.1:$closed/b')];
    curl_multi_add_handle(\$set, \$a);
    curl_multi_add_handle(\$set, \$b);
    echo curl_multi_add_handle(\$set, \$a), ' ';        // refused: no second span
    Tracer::tag('current', 'the job: transfers run beside it');
    drive(\$set);
    while (\$message = curl_multi_info_read(\$set)) {
        echo \$message['result'], ' ';
        curl_multi_remove_handle(\$set, \$message['handle']);
    }
    \$job->end();

    \$job = Tracer::start('looked at late');
    [\$quick, \$slow] = [transfer('$web->url/ok?quick'), transfer('$web->url/slow?slow')];
    curl_multi_add_handle(\$set, \$quick);
    curl_multi_add_handle(\$set, \$slow);
    drive(\$set);
    curl_multi_remove_handle(\$set, \$quick);
    curl_multi_remove_handle(\$set, \$slow);
    \$job->end();

    \$job = Tracer::start('never read');
    curl_multi_add_handle(\$set, \$a);                  // a handle that is used again
    curl_multi_add_handle(\$set, \$b);
    drive(\$set);
    curl_multi_remove_handle(\$set, \$a);
    curl_multi_remove_handle(\$set, \$b);
    \$job->end();

    \$job = Tracer::start('taken out and closed early');
    [\$c, \$d] = [transfer('$web->url/slow?c'), transfer('$web->url/slow?d')];
    curl_multi_add_handle(\$set, \$c);
    curl_multi_add_handle(\$set, \$d);
    curl_multi_exec(\$set, \$running);
    curl_multi_remove_handle(\$set, \$c);
    \$job->end();
    curl_multi_close(\$set);

    \$set = curl_multi_init();
    curl_multi_add_handle(\$set, transfer('$web->url/slow?e'));
    curl_multi_exec(\$set, \$running);                   // left open: the request ends
    PHP, ['spanmill.socket' => $daemon->path], ['curl']);
echo $child['out'], "\n", $child['error'];
$spans = $daemon->list();
$names = array_column($spans, 'name', 'id');
foreach ($spans as $span) {
    if ($span['kind'] === 3) {
        $url = strrchr($span['tags']['url.full'], '/');
        $under = $names[$span['parent']] ?? 'nothing';
        $took = intdiv($span['end'] - $span['start'], 1_000_000_000);
        echo "$url under $under, $took s: {$span['status']} ", $span['tags']['http.response.status_code'] ?? '-', ' ', $span['tags']['error.type'] ?? '', "\n";
    } else {
        echo $span['name'], ' ', json_encode($span['tags']), "\n";
    }
}
?>
--EXPECTF--
%d %d %d 
/%s under read after the end, 0 s: %s
/%s under read after the end, 0 s: %s
read after the end {"current":"the job: transfers run beside it"}
/ok?quick under looked at late, 0 s: 0 200 
/slow?slow under looked at late, 3 s: 0 200 
looked at late []
/ok?a under never read, 0 s: 0 200 
/b under never read, 0 s: 2 - connect
never read []
/slow?c under taken out and closed early, 0 s: 2 - cancelled
taken out and closed early []
/slow?d under taken out and closed early, 0 s: 2 - cancelled
/slow?e under nothing, 0 s: 2 - aborted
