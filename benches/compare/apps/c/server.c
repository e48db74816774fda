/* The application on libfcgi: a thread for each connection, which is how it serves several. */
#include <arpa/inet.h>
#include <fcgiapp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SIZE_64K = 64 * 1024, SIZE_1M = 1024 * 1024, BACKLOG = 1024 };

static int listening;
static char body[SIZE_1M];
static volatile uint64_t computed;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int released;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void listen_at(const char *address) {
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        if (strlen(address + 5) >= sizeof at.sun_path) {
            fprintf(stderr, "the path of the socket is too long\n");
            exit(1);
        }
        strcpy(at.sun_path, address + 5);
        listening = socket(AF_UNIX, SOCK_STREAM, 0);
        if (listening < 0 || bind(listening, (struct sockaddr *)&at, sizeof at) < 0) fail(address);
    } else {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        listening = socket(AF_INET, SOCK_STREAM, 0);
        if (listening < 0 || bind(listening, (struct sockaddr *)&at, sizeof at) < 0) fail(address);
    }
    if (listen(listening, BACKLOG) < 0) fail("listen");
}

static void greet(const char *address) {
    if (strncmp(address, "unix:", 5) == 0) {
        puts(address);
    } else {
        struct sockaddr_in at;
        socklen_t length = sizeof at;
        if (getsockname(listening, (struct sockaddr *)&at, &length) < 0) fail("getsockname");
        printf("127.0.0.1:%d\n", ntohs(at.sin_port));
    }
    fflush(stdout);
}

static void answer(FCGX_Request *request, const char *type, const char *content, int length) {
    FCGX_FPrintF(request->out, "Content-Type: %s\r\nContent-Length: %d\r\n\r\n", type, length);
    FCGX_PutStr(content, length, request->out);
}

static void text(FCGX_Request *request, const char *content) {
    answer(request, "text/plain; charset=utf-8", content, strlen(content));
}

static void upload(FCGX_Request *request) {
    static __thread char block[SIZE_64K];
    char answer[24];
    long total = 0;
    int length;
    while ((length = FCGX_GetStr(block, sizeof block, request->in)) > 0) total += length;
    snprintf(answer, sizeof answer, "%ld", total);
    text(request, answer);
}

static void wait_for_release(void) {
    pthread_mutex_lock(&mutex);
    while (!released) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void release(void) {
    pthread_mutex_lock(&mutex);
    released = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
}

/* Some 200 microseconds of one processor. */
static uint64_t compute(void) {
    uint64_t state = 1;
    for (int i = 0; i < 100000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

static void respond(FCGX_Request *request) {
    const char *uri = FCGX_GetParam("REQUEST_URI", request->envp);
    if (uri == NULL) uri = "";
    if (strcmp(uri, "/") == 0) {
        text(request, "Hello, World!");
    } else if (strcmp(uri, "/64k") == 0) {
        answer(request, "application/octet-stream", body, SIZE_64K);
    } else if (strcmp(uri, "/1m") == 0) {
        answer(request, "application/octet-stream", body, SIZE_1M);
    } else if (strcmp(uri, "/upload") == 0) {
        upload(request);
    } else if (strcmp(uri, "/held") == 0) {
        wait_for_release();
        upload(request);
    } else if (strcmp(uri, "/release") == 0) {
        release();
        text(request, "Hello, World!");
    } else if (strcmp(uri, "/busy") == 0) {
        computed = compute();
        text(request, "Hello, World!");
    } else {
        FCGX_PutS("Status: 404 Not Found\r\n\r\n", request->out);
    }
}

static void *serve(void *unused) {
    FCGX_Request request;
    if (FCGX_InitRequest(&request, listening, 0) != 0) fail("FCGX_InitRequest");
    while (FCGX_Accept_r(&request) == 0) {
        respond(&request);
        FCGX_Finish_r(&request);
    }
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    char ignored[64];
    if (argc != 3) {
        fprintf(stderr, "usage: server unix:PATH|ADDRESS:PORT THREADS\n");
        return 1;
    }
    for (int i = 0; i < SIZE_1M; i++) body[i] = i % 251;
    if (FCGX_Init() != 0) fail("FCGX_Init");
    listen_at(argv[1]);
    for (int i = atoi(argv[2]); i > 0; i--) {
        if (pthread_create(&thread, NULL, serve, NULL) != 0) fail("pthread_create");
    }
    greet(argv[1]);
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) continue;
    return 0;
}
