using System.Runtime.InteropServices;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>One operation as the kernel's asynchronous I/O takes it: <c>struct iocb</c> of <c>linux/aio_abi.h</c>, little endian.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Iocb
{
    public const ushort Read = 0;
    public const ushort Write = 1;

    public ulong Data;
    public uint Key;
    public int Flags;
    public ushort Opcode;
    public short Priority;
    public int Descriptor;
    public ulong Buffer;
    public ulong LengthBytes;
    public long Offset;
    public ulong Reserved;
    public uint IocbFlags;
    public uint EventDescriptor;
}

/// <summary>A completion: <c>struct io_event</c> of the same header.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoEvent
{
    public ulong Data;
    public ulong Block;
    public long Result;
    public long Result2;
}
