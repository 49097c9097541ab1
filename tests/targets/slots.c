/* Reads the words that the dynamic loader has filled in, straight from memory. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>

#include "stage.h"

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT, ABSOLUTE = R_X86_64_64 };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT, ABSOLUTE = R_AARCH64_ABS64 };
#endif

struct tables {
  const ElfW(Sym) * symbols;
  const char* strings;
  const ElfW(Rela) * relocations[2];
  size_t sizes[2];
};

static struct tables tables_of(const struct dl_phdr_info* info) {
  struct tables found = {0};
  const ElfW(Dyn)* entry = NULL;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    entry = (const ElfW(Dyn)*)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  }
  for (; entry != NULL && entry->d_tag != DT_NULL; ++entry) {
    const void* address = (const void*)entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB) found.symbols = address;
    if (entry->d_tag == DT_STRTAB) found.strings = address;
    if (entry->d_tag == DT_JMPREL) found.relocations[0] = address;
    if (entry->d_tag == DT_RELA) found.relocations[1] = address;
    if (entry->d_tag == DT_PLTRELSZ) found.sizes[0] = entry->d_un.d_val;
    if (entry->d_tag == DT_RELASZ) found.sizes[1] = entry->d_un.d_val;
  }
  return found;
}

static int add(PyObject* list, const char* file, const char* symbol, const void* address) {
  PyObject* row = Py_BuildValue("ssKK", file, symbol, (unsigned long long)address,
                                *(const unsigned long long*)address);
  const int failed = row == NULL || PyList_Append(list, row) < 0;
  Py_XDECREF(row);
  return failed;
}

static int visit(struct dl_phdr_info* info, size_t size, void* list) {
  (void)size;
  const struct tables tables = tables_of(info);
  /* The kernel's object is not relocated: its addresses are offsets. */
  if ((uintptr_t)tables.symbols < info->dlpi_addr || tables.symbols == NULL) return 0;
  for (int table = 0; table < 2; ++table) {
    const ElfW(Rela)* relocation = tables.relocations[table];
    for (size_t n = tables.sizes[table] / sizeof *relocation; n > 0; --n, ++relocation) {
      const unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
      const size_t symbol = ELF64_R_SYM(relocation->r_info);
      if (symbol == 0 || (type != JUMP_SLOT && type != GLOB_DAT && type != ABSOLUTE)) continue;
      const char* name = tables.strings + tables.symbols[symbol].st_name;
      const void* address = (const void*)(info->dlpi_addr + relocation->r_offset);
      if (add(list, info->dlpi_name, name, address)) return -1;
    }
  }
  return 0;
}

PyObject* stage_slots(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  PyObject* list = PyList_New(0);
  if (list != NULL && dl_iterate_phdr(visit, list) == 0) return list;
  Py_XDECREF(list);
  return NULL;
}
