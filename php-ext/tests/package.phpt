--TEST--
The composer package: Monolog, PSR-3, Guzzle, PSR-18 and the names of the older extension, with and without ours
--SKIPIF--
<?php require __DIR__ . '/skip.inc';
if (!is_file('/usr/share/php/Monolog/autoload.php') || !is_file('/usr/share/php/GuzzleHttp/autoload.php')) {
    die('skip Monolog or Guzzle is missing (Debian: php-monolog php-guzzlehttp-guzzle)');
}
?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$package = dirname(__DIR__) . '/package/src';
$code = <<<PHP
    foreach (['Monolog', 'GuzzleHttp', 'Psr/Http/Client'] as \$library) {
        require "/usr/share/php/\$library/autoload.php";
    }
    require '$package/polyfill.php';
    spl_autoload_register(function (\$class) {
        \$file = '$package' . strtr(substr(\$class, strlen('Spanmill')), '\\\\', '/') . '.php';
        str_starts_with(\$class, 'Spanmill\\\\') && is_file(\$file) && require \$file;
    });
    require '$package/legacy.php';

    \$job = Spanmill\Tracer::start('job');
    \$log = new Monolog\Logger('shop', [new Spanmill\Monolog\Handler('notice')]);
    \$log->warning('card refused', ['card' => '4111111111111111', 'order' => 7]);
    \$log->info('too small');
    (new Spanmill\Log\Logger)->error('by PSR-3', ['password' => 's3cret']);

    \$stack = GuzzleHttp\HandlerStack::create();
    \$stack->push(Spanmill\Guzzle\Middleware::provider('acme-bank'));
    \$guzzle = new GuzzleHttp\Client(['handler' => \$stack, 'http_errors' => false]);
    echo \$guzzle->get('$web->url/ok', ['spanmill_operation' => 'authorize'])->getBody(), ' ';
    try {
        \$guzzle->get('$web->url/slow', ['timeout' => 0.1]);
    } catch (GuzzleHttp\Exception\ConnectException \$exception) {
        echo 'no answer ';
    }
    \$bank = new Spanmill\Http\Client(new GuzzleHttp\Client, 'psr-bank', fn(\$request) => trim(\$request->getUri()->getPath(), '/'));
    echo \$bank->sendRequest(new GuzzleHttp\Psr7\Request('GET', '$web->url/status?code=503'))->getStatusCode(), ' ';

    \$old = Tracer::startSpan('old');
    \$old->addTags(['a' => 1]);
    Tracer::addLogs(['event' => 'said', 'b' => 2]);
    \$headers = [];
    Tracer::inject(null, 'http', \$headers);
    echo count(\$headers), ' ';
    Tracer::finishSpan(\$old);
    \$job->end();
    echo Spanmill\Provider::verdict('acme-bank')->value, Spanmill\Tracer::unit('u', fn() => ' returned ');
    Spanmill\Provider::call('a', 'b')->declined('no');
    Spanmill\Mask::add('x');
    PHP;
$libraries = ['curl', 'ctype'];
$child = run_php($code, ['spanmill.socket' => $daemon->path], $libraries);
echo $child['out'], $child['error'], "\n";
foreach ($daemon->list() as $span) {
    if ($span['name'] === 'job' || $span['name'] === 'old' || isset($span['tags']['spanmill.operation'])) {
        $tags = array_intersect_key($span['tags'], array_flip(['a', 'http.response.status_code', 'error.type']));
        echo $span['name'], ' ', json_encode($tags), ' ', json_encode($span['logs']), "\n";
    } else {
        echo '  ', $span['name'], ' ', isset($span['tags']['spanmill.attempt']) ? 'an attempt' : '', "\n";
    }
}
$without = run_php($code, [], $libraries, false);
echo $without['out'], $without['error'], "\n";
?>
--EXPECT--
answer no answer 503 1 unknown returned 
  GET an attempt
acme-bank authorize {"http.response.status_code":200} []
  GET an attempt
acme-bank GET {"error.type":"GuzzleHttp\\Exception\\ConnectException"} []
  GET an attempt
psr-bank status {"http.response.status_code":503} []
old {"a":1} [["said",{"event":"said","b":2}]]
job [] [["card refused",{"level":"warning","channel":"shop","card":"411111******1111","order":7}],["by PSR-3",{"level":"error","password":"[masked]"}]]
  u 
a b [] []
answer no answer 503 0 unknown returned 
