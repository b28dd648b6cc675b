using System.Runtime.InteropServices;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>The process's ring of asynchronous direct I/O: requests go in from any thread, one thread waits for completions and hands them to the thread pool.</summary>
/// <remarks>
/// Linux AIO by its system calls, which containers allow where they forbid io_uring. It is asynchronous for files opened past the page cache only.
/// See decisions/0004 for what it was measured against.
/// </remarks>
internal sealed unsafe partial class AioRing
{
    private const int Depth = 1024;
    private const int Batch = 64;
    private const int Interrupted = 4;

    private static readonly Lazy<AioRing?> LazyShared = new(TryCreate);
    private static readonly (nint Setup, nint Submit, nint GetEvents) Calls = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? (0, 2, 4) : (206, 209, 208);

    private readonly nuint _context;

    private AioRing(nuint context)
    {
        _context = context;
        new Thread(Reap, 256 * 1024) { IsBackground = true, Name = "direct-io" }.Start();
    }

    /// <summary>Null where the system does not offer it: then threads wait for the disk.</summary>
    public static AioRing? Shared => LazyShared.Value;

    /// <summary>Hands a request to the kernel.</summary>
    /// <returns>False if it did not take it: the ring is full, or it objects to the request; do it in a blocking way.</returns>
    public bool TrySubmit(IoRequest request)
    {
        var block = request.Prepare();
        return Submit(Calls.Submit, _context, 1, &block) == 1;
    }

    private static AioRing? TryCreate()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
        {
            return null;
        }

        nuint context = 0;
        return Setup(Calls.Setup, Depth, &context) == 0 ? new AioRing(context) : null;
    }

    private void Reap()
    {
        var events = stackalloc IoEvent[Batch];
        while (true)
        {
            var count = GetEvents(Calls.GetEvents, _context, 1, Batch, events, null);
            if (count < 0 && Marshal.GetLastPInvokeError() != Interrupted)
            {
                throw new InvalidOperationException($"io_getevents failed with error {Marshal.GetLastPInvokeError()}; requests on their way would never end.");
            }

            for (var i = 0; i < count; i++)
            {
                IoRequest.Of(events[i].Data).Completed(events[i].Result);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Setup(nint number, nint depth, nuint* context);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Submit(nint number, nuint context, nint count, Iocb** blocks);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint GetEvents(nint number, nuint context, nint least, nint most, IoEvent* events, void* timeout);
}
