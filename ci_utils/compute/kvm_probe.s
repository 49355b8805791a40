# The boot sector of the KVM probe: enters long mode, runs what a Linux kernel runs
# early (cpuid, SSE, a locked instruction, invlpg, descriptor tables) and leaves
# through isa-debug-exit with 0x15, which QEMU turns into exit status 43.
#
# The bytes in kvm.py come from:
#   as --64 -o probe.o kvm_probe.s
#   ld -m elf_x86_64 -Ttext 0x7c00 --oformat binary -e _start -o probe.bin probe.o
.code16
.globl _start
_start:
  cli
  xorw %ax,%ax
  movw %ax,%ds
  movw %ax,%es
  movw %ax,%ss
  movw $0x7c00,%sp
  movw $0x1000,%di                      # clear the page tables at 0x1000..0x4000
  xorl %eax,%eax
  movw $0x1800,%cx
  cld
  rep stosw
  movl $0x2003,0x1000                   # PML4, PDPT, PD with one 2 MiB page
  movl $0x3003,0x2000
  movl $0x83,0x3000
  lgdt gdtr
  movl $0x1000,%eax
  movl %eax,%cr3
  movl %cr4,%eax
  orl $0x620,%eax                       # PAE, OSFXSR, OSXMMEXCPT
  movl %eax,%cr4
  movl $0xc0000080,%ecx
  rdmsr
  orl $0x100,%eax                       # EFER.LME
  wrmsr
  movl %cr0,%eax
  orl $0x80000001,%eax
  andl $0xfffffffb,%eax
  movl %eax,%cr0
  ljmp $8,$long
.code64
long:
  movl $16,%eax
  movl %eax,%ds
  movl %eax,%ss
  movl $0x7c00,%esp
  xorl %eax,%eax
  cpuid
  movq %rsp,%xmm0
  paddq %xmm0,%xmm0
  fxsave 0x5000
  lock incq 0x6000
  invlpg 0x6000
  sgdt 0x6100
  swapgs
  rdtsc
  leaq idtr(%rip),%rax
  lidt (%rax)
  movw $0x501,%dx
  movl $0x15,%eax
  outl %eax,%dx
  hlt
.align 8
gdt: .quad 0,0x00209a0000000000,0x0000920000000000
gdtr: .word 23
  .long gdt
idtr: .word 0
  .quad 0
.org 510
.word 0xaa55
