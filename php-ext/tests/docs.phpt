--TEST--
docs/php.md has each setting with its default, and the environment wins over each
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$settings = json_decode(run_php('echo json_encode(ini_get_all("spanmill"));', [])['out'], true);
preg_match_all('/^\\| `(spanmill\\.\\w+)` \\| (?:`(.*?)`)? ?\\| (.*?) \\|/m', file_get_contents(dirname(__DIR__, 2) . '/docs/php.md'), $rows, PREG_SET_ORDER);
$documented = [];
foreach ($rows as [, $key, $default, $where]) {
    $documented[$key] = [$default, $where === 'php.ini' ? INI_SYSTEM : INI_PERDIR];
}
$known = array_map(fn($setting) => [(string) $setting['global_value'], $setting['access']], $settings);
ksort($documented);
ksort($known);
var_dump($documented === $known);
echo json_encode(array_diff_assoc(array_map('json_encode', $documented), array_map('json_encode', $known))), count($known) > 10 ? ' compared' : '', "\n";
?>
--EXPECT--
bool(true)
[] compared
