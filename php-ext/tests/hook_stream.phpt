--TEST--
An http stream makes a span by itself, whichever function opens it
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$closed = Web::closedPort();
$child = run_php(<<<PHP
    echo file_get_contents('$web->url/ok?password=s3cret'), ' ';
    \$post = stream_context_create(['http' => ['method' => 'POST', 'header' => 'Content-Type: text/plain', 'content' => 'x', 'ignore_errors' => true]]);
    echo file_get_contents('$web->url/status?code=402', false, \$post), ' ';
    var_dump(@file_get_contents('$web->url/status?code=500'));
    var_dump(@file_get_contents('http://127.0.0.1:$closed/refused'));
    var_dump(@file_get_contents('http://nobody.invalid/unknown'));
    ini_set('default_socket_timeout', 1);
    var_dump(@file_get_contents('$web->url/slow'));
    \$stream = fopen('$web->url/hop', 'r', false, \$post);
    echo stream_get_contents(\$stream), ' ';
    copy('$web->url/ok?copied', 'php://output');
    echo ' ', readfile('$web->url/ok?read');
    echo ' ', simplexml_load_file('$web->url/soap?xml')->getName();
    echo ' ', strlen(file_get_contents('data:,no'))  , ' ', filesize(PHP_BINARY) > 0 ? 'files are left alone' : '';
    PHP, ['spanmill.socket' => $daemon->path], ['simplexml']);
echo $child['out'], "\n", $child['error'];
foreach ($daemon->list() as $span) {
    $tags = $span['tags'];
    echo $span['name'], ' ', strrchr($tags['url.full'], '/'), ' ', $span['status'], ' ', $tags['http.response.status_code'] ?? '-', ' ', $tags['error.type'] ?? '', "\n";
}
?>
--EXPECT--
answer answer bool(false)
bool(false)
bool(false)
bool(false)
answer answer answer6 Envelope 2 files are left alone
GET /ok?password=[masked] 0 200 
POST /status?code=402 2 402 402
GET /status?code=500 2 500 500
GET /refused 2 - connect
GET /unknown 2 - dns
GET /slow 2 - timeout
POST /hop 0 200 
GET /ok?copied 0 200 
GET /ok?read 0 200 
GET /soap?xml 0 200 
