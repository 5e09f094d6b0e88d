--TEST--
A SoapClient's requests are spans, with the operation of the SOAP action
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$closed = Web::closedPort();
$child = run_php(<<<PHP
    // A class of one's own, as every payment integration has it.
    class Bank extends SoapClient {
        public function __doRequest(\$request, \$location, \$action, \$version, \$oneWay = false): ?string {
            return parent::__doRequest(\$request, \$location, \$action, \$version, \$oneWay);
        }
    }
    \$bank = new Bank(null, ['location' => '$web->url/soap', 'uri' => 'urn:bank']);
    var_dump(\$bank->__soapCall('Authorize', []));
    foreach (['http://127.0.0.1:$closed/soap', '$web->url/status?code=200'] as \$location) {
        try {
            (new SoapClient(null, ['location' => \$location, 'uri' => 'urn:bank']))->__soapCall('Refund', []);
        } catch (SoapFault \$fault) {
            echo get_class(\$fault), "\n";
        }
    }
    ini_set('default_socket_timeout', 1);
    try {
        (new SoapClient(null, ['location' => '$web->url/slow', 'uri' => 'urn:bank']))->__soapCall('Refund', []);
    } catch (SoapFault \$fault) {
        echo \$fault->getMessage(), "\n";
    }
    PHP, ['spanmill.socket' => $daemon->path], ['soap']);
echo $child['out'], $child['error'];
foreach ($daemon->list() as $span) {
    $tags = $span['tags'];
    echo $span['name'], ' ', $tags['rpc.method'], ' ', $span['status'], ' ', $tags['error.type'] ?? '', ' ', $span['message'], "\n";
}
?>
--EXPECT--
string(1) "0"
SoapFault
SoapFault
Error Fetching http headers
POST Authorize 0  
POST Refund 2 connect Could not connect to host
POST Refund 0  
POST Refund 2 timeout Error Fetching http headers
