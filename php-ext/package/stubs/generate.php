<?php
// Writes the extension's classes as PHP, for editors and analysers, out of what the extension says of itself:
//
//     php -d extension=spanmill php-ext/package/stubs/generate.php > php-ext/package/stubs/spanmill.php

function type(?ReflectionType $type): string
{
    return $type === null ? '' : preg_replace('/(?<![\w\\\\])(Spanmill\\\\)/', '\\\\$1', (string) $type);
}

function signature(ReflectionMethod $method): string
{
    $parameters = array_map(function (ReflectionParameter $parameter) {
        $default = $parameter->isOptional() ? ' = null' : '';
        $type = type($parameter->getType());
        $type = $default !== '' && $type !== '' && $type !== 'mixed' && !str_contains($type, '?') ? "?$type" : $type;
        return trim("$type " . ($parameter->isPassedByReference() ? '&' : '') . '$' . $parameter->getName() . $default);
    }, $method->getParameters());
    $static = $method->isStatic() ? 'static ' : '';
    $returned = type($method->getReturnType());
    return "    public {$static}function {$method->getName()}(" . implode(', ', $parameters) . ')' . ($returned === '' ? '' : ": $returned");
}

echo "<?php\n// Made by generate.php out of the extension; not loaded when the extension is.\n\nnamespace Spanmill;\n";
$classes = (new ReflectionExtension('spanmill'))->getClasses();
ksort($classes);
foreach ($classes as $class) {
    $name = $class->getShortName();
    if ($class->isEnum()) {
        echo "\nenum $name: string\n{\n";
        foreach ((new ReflectionEnum($class->getName()))->getCases() as $case) {
            echo "    case {$case->getName()} = '{$case->getBackingValue()}';\n";
        }
        echo "}\n";
        continue;
    }
    echo "\nfinal class $name\n{\n";
    foreach ($class->getReflectionConstants() as $constant) {
        echo "    public const {$constant->getName()} = ", var_export($constant->getValue(), true), ";\n";
    }
    foreach ($class->getMethods() as $method) {
        if (!$method->isConstructor()) {
            echo "\n", signature($method), "\n    {\n    }\n";
        }
    }
    echo "}\n";
}
