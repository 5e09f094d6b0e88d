<?php
Spanmill\Tracer::start('one')->end();
(new ReflectionExtension('spanmill'))->info();
?>
