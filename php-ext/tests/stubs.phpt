--TEST--
The stubs are those of the extension, and the polyfill has the same classes
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$package = dirname(__DIR__) . '/package';
$stubs = run_php("require '$package/stubs/generate.php';", [])['out'];
if ($stubs !== file_get_contents("$package/stubs/spanmill.php")) {
    echo "php-ext/package/stubs/spanmill.php is not what generate.php writes; run it again\n";
}
// The same generator over the polyfill: an extension that is none.
$generator = str_replace("(new ReflectionExtension('spanmill'))->getClasses()", '$classes', file_get_contents("$package/stubs/generate.php"));
$polyfill = run_php(<<<PHP
    require '$package/src/polyfill.php';
    \$classes = [];
    foreach (array_merge(get_declared_classes()) as \$name) {
        str_starts_with(\$name, 'Spanmill\\\\') && \$classes[\$name] = new ReflectionClass(\$name);
    }
    ?>
    PHP . $generator, [], [], false)['out'];
$lines = fn(string $code) => array_filter(array_map('trim', explode("\n", $code)), fn($line) => preg_match('/^(public|enum|case|final)/', $line));
[$ours, $theirs] = [$lines($stubs), $lines(trim($polyfill))];
echo implode("\n", array_merge(array_diff($ours, $theirs), array_diff($theirs, $ours))), "\n";
echo count($ours) > 40 ? 'compared' : 'nothing compared', "\n";
?>
--EXPECT--

compared
