/* fault: the CUresult values with which a kernel can end. The text beside them says more than they do. */
#ifndef EMU_FAULT_H
#define EMU_FAULT_H

enum emu_fault_code {
    EMU_FAULT_NO_MEMORY = 2,            /* CUDA_ERROR_OUT_OF_MEMORY */
    EMU_FAULT_ILLEGAL_ADDRESS = 700,    /* CUDA_ERROR_ILLEGAL_ADDRESS */
    EMU_FAULT_TIMEOUT = 702,            /* CUDA_ERROR_LAUNCH_TIMEOUT: nothing can move, or not in time */
    EMU_FAULT_ASSERT = 710,             /* CUDA_ERROR_ASSERT */
    EMU_FAULT_ILLEGAL_INSTRUCTION = 715, /* CUDA_ERROR_ILLEGAL_INSTRUCTION */
    EMU_FAULT_MISALIGNED = 716,         /* CUDA_ERROR_MISALIGNED_ADDRESS */
    EMU_FAULT_LAUNCH_FAILED = 719,      /* CUDA_ERROR_LAUNCH_FAILED */
};

#endif
