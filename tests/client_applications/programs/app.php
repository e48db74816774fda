<?php
// One application for php-fpm and php-cgi: PATH_INFO says what to do.
header('Content-Type: text/plain');
switch ($_SERVER['PATH_INFO'] ?? '') {
    case '/hello':
        echo 'hello';
        break;
    case '/echo':
        readfile('php://input');
        break;
    case '/count':
        $count = 0;
        $input = fopen('php://input', 'rb');
        while (!feof($input)) {
            $count += strlen(fread($input, 65536));
        }
        echo $count;
        break;
    case '/params':
        foreach ($_SERVER as $name => $value) {
            if (is_string($value)) {
                echo "$name=$value\n";
            }
        }
        break;
    case '/missing':
        http_response_code(404);
        echo 'nothing';
        break;
    case '/redirect':
        header('Location: /elsewhere');
        break;
    case '/large':
        $block = str_repeat('x', 65536);
        for ($rest = (int) $_GET['n']; $rest > 0; $rest -= 65536) {
            echo $rest < 65536 ? substr($block, 0, $rest) : $block;
        }
        break;
    case '/lie':
        header('Content-Length: 100');
        echo '0123456789';
        break;
    case '/stderr':
        error_log('a line for the log');
        echo 'done';
        break;
    case '/die':
        echo str_repeat('x', 100000);
        flush();
        usleep(100000);
        posix_kill(getmypid(), 9);
        sleep(5);
        break;
    case '/slow':
        sleep(2);
        echo 'slow';
        break;
}
