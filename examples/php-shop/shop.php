<?php
// The shop's business: who is called, in which way. A file of addresses says where its providers are.

final class Shop
{
    /** @param array<string, list<string>> $providers name => addresses */
    public function __construct(private array $providers)
    {
    }

    public static function fromEnvironment(): self
    {
        $file = getenv('SHOP_PROVIDERS') ?: '';
        is_readable($file) || exit("set SHOP_PROVIDERS to the file that 'spanmill demo --providers FILE' writes\n");
        return new self(json_decode(file_get_contents($file), true, flags: JSON_THROW_ON_ERROR));
    }

    /** A payment: risk and address at the same time, then 3-D Secure, card or bank, wallet, and the message. */
    public function checkout(string $card, int $amount): bool
    {
        $order = ['card' => $card, 'cvv' => '123', 'amount' => $amount, 'currency' => 'EUR'];
        $this->together(['stark-antifraud' => 'score', 'hooli-maps' => 'geocode'], $order);
        $this->post('initech-3ds', 'authenticate', $order);
        $paid = false;
        foreach (['wayne-cards', 'acme-bank'] as $bank) {
            $answer = $this->post($bank, 'authorize', $order);
            if ($paid = ($answer['status'] ?? '') === 'approved') {
                break;
            }
        }
        $this->post('globex-wallet', 'bonus', $order);
        $this->get('umbrella-sms', 'send?text=' . urlencode("paid with $card"));
        return $paid;
    }

    /** Old banks speak SOAP. */
    public function refund(int $amount): bool
    {
        try {
            $client = new SoapClient(null, [
                'location' => $this->url('tyrell-payouts', 'soap'),
                'uri' => 'urn:tyrell',
                'connection_timeout' => 5,
            ]);
            $client->__soapCall('Refund', [new SoapParam($amount, 'amount')]);
            return true;
        } catch (SoapFault) {
            return false;
        }
    }

    /** The status that a provider answers with; 0 = none in time. */
    public function ask(string $provider, int $seconds): int
    {
        $curl = curl_init($this->url($provider, 'ping'));
        curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => $seconds]);
        curl_exec($curl);
        return curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    }

    private function post(string $provider, string $path, array $body): ?array
    {
        $curl = $this->request($provider, $path, $body);
        $answer = curl_exec($curl);
        return is_string($answer) ? json_decode($answer, true) : null;
    }

    /** @param array<string, string> $paths provider => path */
    private function together(array $paths, array $body): void
    {
        $set = curl_multi_init();
        $requests = [];
        foreach ($paths as $provider => $path) {
            $requests[] = $curl = $this->request($provider, $path, $body);
            curl_multi_add_handle($set, $curl);
        }
        do {
            curl_multi_exec($set, $running);
            $running && curl_multi_select($set, 1);
        } while ($running);
        foreach ($requests as $curl) {
            curl_multi_remove_handle($set, $curl);
        }
        curl_multi_close($set);
    }

    private function get(string $provider, string $path): void
    {
        @file_get_contents($this->url($provider, $path), false, stream_context_create(['http' => ['timeout' => 10]]));
    }

    private function request(string $provider, string $path, array $body): CurlHandle
    {
        $curl = curl_init($this->url($provider, $path));
        curl_setopt_array($curl, [
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_POSTFIELDS => json_encode($body),
            CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Authorization: Bearer s3cret-of-the-shop'],
            CURLOPT_TIMEOUT => 10,
        ]);
        return $curl;
    }

    private function url(string $provider, string $path): string
    {
        $addresses = $this->providers[$provider];
        return 'http://' . $addresses[array_rand($addresses)] . "/$path";
    }
}
