/* Lets a kernel older than its host's CPU run: preloaded into User-Mode Linux.
**
** Up to Linux 6.12, User-Mode Linux keeps a process's vector registers in a buffer
** of 2,696 bytes, enough for AVX-512. On a CPU with AMX they take 11,000, the host
** refuses to set only a part of them (EFAULT), and the guest's first process dies
** with “ptrace set fp regs failed, errno = 14”. Here such a part is laid over the
** registers as they are; what lies behind it, AMX, nobody in the guest may use. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The guest has one CPU, thus one caller. */
static _Alignas(64) char registers[1 << 16];

static long set_part(long pid, void *kind, const struct iovec *part) {
	struct iovec all = {registers, sizeof registers};
	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &all) < 0) return -1;
	if (part->iov_len > all.iov_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(registers, part->iov_base, part->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &all);
}

long ptrace(enum __ptrace_request request, ...) {
	va_list args;
	va_start(args, request);
	long pid = va_arg(args, int);
	void *addr = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);

	/* The C library returns what is peeked, the system call stores it. */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		long word;
		if (syscall(SYS_ptrace, request, pid, addr, &word) < 0) return -1;
		errno = 0;
		return word;
	}
	long result = syscall(SYS_ptrace, request, pid, addr, data);
	if (result < 0 && errno == EFAULT && request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE)
		return set_part(pid, addr, data);
	return result;
}
