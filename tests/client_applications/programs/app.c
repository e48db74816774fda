/* An application on libfcgi. It listens at the Unix socket that its argument names. */
#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void text(FCGX_Request *request, const char *body) {
    FCGX_FPrintF(request->out, "Content-Type: text/plain\r\n\r\n%s", body);
}

static long copy_body(FCGX_Request *request, int is_echoed) {
    char block[16384];
    long count = 0;
    int len;
    while ((len = FCGX_GetStr(block, sizeof block, request->in)) > 0) {
        if (is_echoed) FCGX_PutStr(block, len, request->out);
        count += len;
    }
    return count;
}

static void large(FCGX_Request *request) {
    char block[16384];
    const char *query = FCGX_GetParam("QUERY_STRING", request->envp);
    long rest = query && *query ? atol(query + 2) : 0;
    memset(block, 'x', sizeof block);
    text(request, "");
    while (rest > 0) {
        int len = rest < (long)sizeof block ? (int)rest : (int)sizeof block;
        if (FCGX_PutStr(block, len, request->out) < 0) return;
        rest -= len;
    }
}

static void die(FCGX_Request *request) {
    text(request, "part");
    FCGX_FFlush(request->out);
    usleep(100000);
    _exit(1);
}

static void answer(FCGX_Request *request) {
    const char *path = FCGX_GetParam("PATH_INFO", request->envp);
    if (!path) path = "";
    if (!strcmp(path, "/hello")) text(request, "hello");
    else if (!strcmp(path, "/echo")) { text(request, ""); copy_body(request, 1); }
    else if (!strcmp(path, "/count")) {
        long count = copy_body(request, 0);
        FCGX_FPrintF(request->out, "Content-Type: text/plain\r\n\r\n%ld", count);
    }
    else if (!strcmp(path, "/params")) {
        char **param;
        text(request, "");
        for (param = request->envp; *param; param++) FCGX_FPrintF(request->out, "%s\n", *param);
    }
    else if (!strcmp(path, "/missing")) FCGX_FPrintF(request->out, "Status: 404 Not Found\r\n\r\nnothing");
    else if (!strcmp(path, "/redirect")) FCGX_FPrintF(request->out, "Location: /elsewhere\r\n\r\n");
    else if (!strcmp(path, "/large")) large(request);
    else if (!strcmp(path, "/lie")) FCGX_FPrintF(request->out, "Content-Length: 100\r\n\r\n0123456789");
    else if (!strcmp(path, "/stderr")) {
        FCGX_FPrintF(request->err, "a line for the log\n");
        text(request, "done");
    }
    else if (!strcmp(path, "/split")) {
        FCGX_FPrintF(request->out, "Status: 201 Crea");
        FCGX_FFlush(request->out);
        FCGX_FPrintF(request->out, "ted\r\nX-A: b\r\n");
        FCGX_FFlush(request->out);
        FCGX_FPrintF(request->out, "\r\nbody");
    }
    else if (!strcmp(path, "/die")) die(request);
    else if (!strcmp(path, "/slow")) { sleep(2); text(request, "slow"); }
    else text(request, "");
}

int main(int argc, char **argv) {
    FCGX_Request request;
    int socket;
    if (argc < 2 || FCGX_Init()) return 1;
    socket = FCGX_OpenSocket(argv[1], 100);
    if (socket < 0 || FCGX_InitRequest(&request, socket, 0)) return 1;
    while (FCGX_Accept_r(&request) == 0) {
        answer(&request);
        FCGX_Finish_r(&request);
    }
    return 0;
}
