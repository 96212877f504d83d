/* Linux 6.1 as User Mode Linux puts back as much of a guest's extended registers as it knows of, up to AVX-512 and PKRU. The host
 * takes all or nothing (arch/x86/kernel/fpu/regset.c: xstateregs_set), and where the processor has AMX there are 8 KiB more: the
 * first program of a guest dies. Loaded in between (LD_PRELOAD), this gives the host what the guest does not know back as it was.
 * Later kernels ask how large it is. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Not on a stack, as the guest kernel's are small. It has one processor, and its interrupts do not come here. */
static char all[1 << 16];

long ptrace(enum __ptrace_request request, ...) {
	static long (*host)(enum __ptrace_request, pid_t, void *, void *);
	va_list rest;
	va_start(rest, request);
	pid_t pid = va_arg(rest, pid_t);
	void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
	va_end(rest);
	if (!host && !(host = dlsym(RTLD_NEXT, "ptrace"))) {
		errno = ENOSYS;
		return -1;
	}
	if (request == PTRACE_SETREGSET && (unsigned long)address == NT_X86_XSTATE) {
		const struct iovec *known = data;
		struct iovec whole = {all, sizeof all};
		if (host(PTRACE_GETREGSET, pid, address, &whole) < 0)
			return -1;
		if (known->iov_len < whole.iov_len) {
			memcpy(all, known->iov_base, known->iov_len);
			return host(request, pid, address, &whole);
		}
	}
	return host(request, pid, address, data);
}
