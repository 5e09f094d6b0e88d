--TEST--
phpinfo() shows version, state and settings; the environment wins over ini
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--ENV--
SPANMILL_SOCKET=/from/the/environment.sock
--INI--
spanmill.socket=/from/ini.sock
spanmill.service=shop
--FILE--
<?php
Spanmill\Tracer::start('one')->end();
(new ReflectionExtension('spanmill'))->info();
?>
--EXPECTF--
spanmill

spanmill => enabled
version => %d.%d.%d
socket => /from/the/environment.sock
daemon => not connected
hooks => curl, stream, soap, pcntl
spans recorded => 1
spans sent => 0
spans over the limit of open ones => 0
values masked => 0
spans dropped: queue full => 0
spans dropped: no daemon => 0
spans dropped: too long => 0
spans dropped: daemon stuck => 0
spans dropped: closed => 0
spans dropped: displaced by failures => 0
spans dropped: rejected => 0

Directive => Local Value => Master Value
spanmill.enabled => 1 => 1
spanmill.cli => 1 => 1
spanmill.socket => /from/ini.sock => /from/ini.sock
spanmill.board => no value => no value
spanmill.service => shop => shop
spanmill.env => no value => no value
spanmill.root_span => 1 => 1
spanmill.hook => curl,stream,soap,pcntl => curl,stream,soap,pcntl
spanmill.hook_user => no value => no value
spanmill.propagate_hosts => no value => no value
spanmill.ignore_hosts => no value => no value
spanmill.bare_hosts => no value => no value
spanmill.mask_keys => no value => no value
spanmill.mask_pan => first6_last4 => first6_last4
