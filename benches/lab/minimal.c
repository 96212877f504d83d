// How fast the kernel takes a table, and gives it: one netlink socket, and nothing between it and the messages. Prints milliseconds.
//
//   minimal batch N M    adds N services of M destinations; 128 requests a send, acknowledged is the last of each
//   minimal single N M   the same, one request and its acknowledgement at a time
//   minimal dump N M     reads the services, and the destinations of each of them, as much at once as the kernel gives
//   minimal narrow N M   the same into a page: the kernel clears as much memory for each answer as is asked for
//
// The attributes are those that ipvsd sends, and the table is the one of table.rs. Any error ends it.
#include <arpa/inet.h>
#include <err.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static char out[64 << 10], in[64 << 10], *end = out;
static unsigned sequence;
static int fd, room = sizeof in;
static __u16 family;

static void *put(int kind, const void *value, int length) {
    struct nlattr *at = (void *)end;
    *at = (struct nlattr){NLA_HDRLEN + length, kind};
    if (length) memcpy(end + NLA_HDRLEN, value, length);
    end += NLA_ALIGN(NLA_HDRLEN + length);
    return at;
}
#define NUMBER(kind, type, number) put(kind, &(type){number}, sizeof(type))
#define NEST(kind) struct nlattr *nest = put((kind) | NLA_F_NESTED, 0, 0)
#define CLOSE nest->nla_len = end - (char *)nest
static struct nlmsghdr *begin(int kind, int flags, int command) {
    struct nlmsghdr *message = (void *)end;
    *message = (struct nlmsghdr){0, kind, NLM_F_REQUEST | flags, ++sequence, 0};
    *(struct genlmsghdr *)NLMSG_DATA(message) = (struct genlmsghdr){command, 1, 0};
    end += NLMSG_HDRLEN + GENL_HDRLEN;
    return message;
}
static void finish(struct nlmsghdr *message) { message->nlmsg_len = end - (char *)message; }
static void service(unsigned address, int all) {
    NEST(IPVS_CMD_ATTR_SERVICE);
    NUMBER(IPVS_SVC_ATTR_AF, __u16, AF_INET);
    NUMBER(IPVS_SVC_ATTR_PROTOCOL, __u16, IPPROTO_TCP);
    put(IPVS_SVC_ATTR_ADDR, (__be32[4]){htonl(address)}, 16);
    NUMBER(IPVS_SVC_ATTR_PORT, __be16, htons(80));
    if (all) {
        put(IPVS_SVC_ATTR_SCHED_NAME, "wlc", 4);
        put(IPVS_SVC_ATTR_FLAGS, &(struct ip_vs_flags){0, ~IP_VS_SVC_F_HASHED}, sizeof(struct ip_vs_flags));
        NUMBER(IPVS_SVC_ATTR_TIMEOUT, __u32, 0);
        NUMBER(IPVS_SVC_ATTR_NETMASK, __be32, ~0U);
    }
    CLOSE;
}
static void destination(unsigned address) {
    NEST(IPVS_CMD_ATTR_DEST);
    put(IPVS_DEST_ATTR_ADDR, (__be32[4]){htonl(address)}, 16);
    NUMBER(IPVS_DEST_ATTR_PORT, __be16, htons(8080));
    NUMBER(IPVS_DEST_ATTR_ADDR_FAMILY, __u16, AF_INET);
    NUMBER(IPVS_DEST_ATTR_FWD_METHOD, __u32, IP_VS_CONN_F_MASQ);
    NUMBER(IPVS_DEST_ATTR_WEIGHT, __u32, 100);
    NUMBER(IPVS_DEST_ATTR_U_THRESH, __u32, 0);
    NUMBER(IPVS_DEST_ATTR_L_THRESH, __u32, 0);
    NUMBER(IPVS_DEST_ATTR_TUN_TYPE, __u8, 0);
    NUMBER(IPVS_DEST_ATTR_TUN_PORT, __be16, 0);
    NUMBER(IPVS_DEST_ATTR_TUN_FLAGS, __u16, 0);
    CLOSE;
}
// Sends what is there, and reads until the last request has been answered to its end. Gives back how many entries came.
static int flush(void) {
    if (send(fd, out, end - out, 0) != end - out) err(1, "send");
    end = out;
    for (int entries = 0;;) {
        int length = recv(fd, in, room, 0);
        if (length < 0) err(1, "recv");
        for (struct nlmsghdr *at = (void *)in; NLMSG_OK(at, length); at = NLMSG_NEXT(at, length)) {
            int is_error = at->nlmsg_type == NLMSG_ERROR;
            if (is_error && *(int *)NLMSG_DATA(at)) errx(1, "refused: %s", strerror(-*(int *)NLMSG_DATA(at)));
            if (at->nlmsg_seq == sequence && (is_error || at->nlmsg_type == NLMSG_DONE)) return entries;
            // The family's number stands behind its name, which is asked for.
            if (at->nlmsg_type == GENL_ID_CTRL) family = *(__u16 *)((char *)NLMSG_DATA(at) + GENL_HDRLEN + 16);
            entries++;
        }
    }
}
int main(int count, char **words) {
    if (count != 4) errx(64, "batch|single|dump|narrow SERVICES DESTINATIONS");
    int n = atoi(words[2]), m = atoi(words[3]), size = *words[1] == 'b' ? 128 : 1, entries = 0, queue = 4 << 20;
    fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof queue);
    // What fits into a page of the kernel's (SKB_WITH_OVERHEAD); before the first read, for the kernel goes by the largest.
    if (*words[1] == 'n') room = 3776;
    struct nlmsghdr *message = begin(GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
    put(CTRL_ATTR_FAMILY_NAME, "IPVS", 5);
    finish(message);
    flush();
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (*words[1] == 'd' || *words[1] == 'n') {
        finish(begin(family, NLM_F_DUMP, IPVS_CMD_GET_SERVICE));
        entries = flush();
        for (int i = 0; i < n; i++) {
            message = begin(family, NLM_F_DUMP, IPVS_CMD_GET_DEST);
            service(0xc6120001 + i, 0);
            finish(message);
            entries += flush();
        }
        if (entries != n + n * m) errx(1, "%d entries", entries);
    }
    else
        for (int i = 0; i < n + n * m; i++) {
            int is_last = i + 1 == n + n * m || (i + 1) % size == 0, s = i / (m + 1), d = i % (m + 1) - 1;
            message = begin(family, is_last ? NLM_F_ACK : 0, d < 0 ? IPVS_CMD_NEW_SERVICE : IPVS_CMD_NEW_DEST);
            service(0xc6120001 + s, d < 0);
            if (d >= 0) destination(0x0a000001 + s * m + d);
            finish(message);
            if (is_last) flush();
        }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.3f\n", (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) / 1e6);
}
