--TEST--
curl_exec() makes a span by itself, with host, status, timings and what went wrong
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$closed = Web::closedPort();
$child = run_php(<<<PHP
    use Spanmill\{Provider, Tracer};
    function get(string \$url, array \$options = []): string|bool {
        \$curl = curl_init(\$url);
        curl_setopt_array(\$curl, [CURLOPT_RETURNTRANSFER => true] + \$options);
        return curl_exec(\$curl);
    }
    \$job = Tracer::start('job');
    echo get('$web->url/ok?token=s3cret&card=4111111111111111'), ' ';
    get('$web->url/status?code=503', [CURLOPT_POSTFIELDS => 'x']);
    get('http://127.0.0.1:$closed/');
    get('$web->url/slow', [CURLOPT_TIMEOUT_MS => 100, CURLOPT_CUSTOMREQUEST => 'PUT']);
    get('http://user:pa55word@nobody.invalid/', [CURLOPT_CUSTOMREQUEST => 'PROPFIND']);
    echo get('file:///dev/null') === '' ? 'files are nobody we call ' : '';
    \$call = Provider::call('sberbank', 'authorize');
    get('$web->url/hop', [CURLOPT_FOLLOWLOCATION => true]);
    \$call->ok();
    \$job->end();
    echo json_encode(Tracer::current());
    PHP, ['spanmill.socket' => $daemon->path], ['curl']);
echo $child['out'], "\n", $child['error'];
$parents = [];
foreach ($daemon->list() as $span) {
    $tags = $span['tags'];
    $parents[$span['id']] = $span['name'];
    if ($span['kind'] === 3 && !isset($tags['spanmill.operation'])) {
        $is = array_intersect_key($tags, array_flip(['http.request.method', 'server.address', 'server.port', 'url.full', 'http.response.status_code', 'error.type', 'curl.errno', 'spanmill.attempt', 'spanmill.provider']));
        $text = json_encode([$span['name'], $span['status'], $is], JSON_UNESCAPED_SLASHES);
        echo strtr($text, [$web->port => 'PORT', $closed => 'CLOSED']), "\n";
        if ($span['status'] === 0) {
            $timings = array_intersect_key($tags, ['http.timing.connect_ms' => 1, 'http.timing.first_byte_ms' => 1]);
            $took = ($span['end'] - $span['start']) / 1e6;
            var_dump(count($timings) === 2 && max($timings) <= $took && $tags['network.peer.address'] === '127.0.0.1');
        }
    }
}
?>
--EXPECT--
answer files are nobody we call null
["GET",0,{"server.address":"127.0.0.1","server.port":PORT,"url.full":"http://127.0.0.1:PORT/ok?token=[masked]&card=411111******1111","http.request.method":"GET","http.response.status_code":200}]
bool(true)
["POST",2,{"server.address":"127.0.0.1","server.port":PORT,"url.full":"http://127.0.0.1:PORT/status?code=503","http.request.method":"POST","http.response.status_code":503,"error.type":"503"}]
["GET",2,{"server.address":"127.0.0.1","server.port":CLOSED,"url.full":"http://127.0.0.1:CLOSED/","http.request.method":"GET","error.type":"connect","curl.errno":7}]
["PUT",2,{"server.address":"127.0.0.1","server.port":PORT,"url.full":"http://127.0.0.1:PORT/slow","http.request.method":"PUT","error.type":"timeout","curl.errno":28}]
["_OTHER",2,{"server.address":"nobody.invalid","server.port":80,"url.full":"http://[masked]@nobody.invalid/","http.request.method":"_OTHER","error.type":"dns","curl.errno":6}]
["GET",0,{"spanmill.provider":"sberbank","spanmill.attempt":true,"server.address":"127.0.0.1","server.port":PORT,"url.full":"http://127.0.0.1:PORT/hop","http.request.method":"GET","http.response.status_code":200}]
bool(true)
