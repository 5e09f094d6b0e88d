<?php
// A shop as many are: a checkout that calls its providers by curl, curl_multi, a stream and SOAP. There is not a
// line of tracing in here; run it with the extension and each provider is on the board.

require __DIR__ . '/../shop.php';

$shop = Shop::fromEnvironment();
$path = strtok($_SERVER['REQUEST_URI'], '?');

switch ($path) {
    case '/checkout':
        $paid = $shop->checkout($_POST['card'] ?? '4111111111111111', (int) ($_POST['amount'] ?? 990));
        http_response_code($paid ? 200 : 402);
        echo json_encode(['paid' => $paid]), "\n";
        break;
    case '/refund':
        echo json_encode(['refunded' => $shop->refund((int) ($_POST['amount'] ?? 990))]), "\n";
        break;
    case '/ask':
        // One provider alone: /ask?provider=acme-bank&seconds=30
        echo json_encode(['status' => $shop->ask($_GET['provider'] ?? 'acme-bank', (int) ($_GET['seconds'] ?? 10))]), "\n";
        break;
    default:
        http_response_code(404);
        echo "POST /checkout, POST /refund or GET /ask?provider=NAME\n";
}
