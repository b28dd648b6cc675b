using System.Buffers;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using FASTER.core;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>One read or write on its way. Pooled: a request in steady state allocates nothing.</summary>
/// <remarks>
/// It goes into the <see cref="AioRing"/>, or to one of the device's threads where the ring cannot serve it. It completes as a <see cref="ValueTask{T}"/> on the thread pool
/// for our own readers and writers; FASTER's callback runs on the thread that learns of the completion: the ring's, or the device's. What the kernel did in part is gone on with.
/// </remarks>
internal sealed unsafe class IoRequest : IValueTaskSource<int>, IThreadPoolWorkItem
{
    private const int SectorBytes = 512;
    private const int InputOutputError = 5;

    private static readonly Lock Gate = new();
    private static readonly Stack<IoRequest> Free = new();
    private static IoRequest[] _all = new IoRequest[64];
    private static int _count;

    private readonly Iocb* _block = (Iocb*)NativeMemory.AllocZeroed((nuint)sizeof(Iocb));
    private readonly uint _number;
    private ManualResetValueTaskSourceCore<int> _source;
    private DirectFile _file = null!;
    private MemoryHandle _pin;
    private byte* _memory;
    private int _lengthBytes;
    private int _doneBytes;
    private long _offset;
    private bool _isWrite;
    private int _error;
    private Exception? _failure;
    private DeviceIOCompletionCallback? _callback;
    private object? _callbackContext;

    private IoRequest(uint number) => _number = number;

    /// <summary>The request whose number the kernel gave back.</summary>
    public static IoRequest Of(ulong number) => Volatile.Read(ref _all)[number];

    /// <summary>Starts a read or write of our own.</summary>
    /// <returns>Bytes read, fewer than asked for only at the end of the file; or bytes written, all of them. An <see cref="IOException"/> has the error number.</returns>
    public static ValueTask<int> Start(DirectFile file, bool isWrite, ReadOnlyMemory<byte> memory, long offset)
    {
        var request = Rent();
        request._pin = memory.Pin();
        var token = request._source.Version;
        request.Start(file, isWrite, (byte*)request._pin.Pointer, memory.Length, offset);
        return new ValueTask<int>(request, token);
    }

    /// <summary>Starts a read or write of FASTER's; <see cref="DirectDevice.Tell"/> ends it.</summary>
    public static void Start(DirectFile file, bool isWrite, nint memory, int lengthBytes, long offset, DeviceIOCompletionCallback callback, object context)
    {
        var request = Rent();
        request._callback = callback;
        request._callbackContext = context;
        request.Start(file, isWrite, (byte*)memory, lengthBytes, offset);
    }

    /// <summary>The request as the kernel wants it, for what is still to do.</summary>
    public Iocb* Prepare()
    {
        _block->Data = _number;
        _block->Opcode = _isWrite ? Iocb.Write : Iocb.Read;
        _block->Descriptor = (int)_file.Handle.DangerousGetHandle();
        _block->Buffer = (ulong)(_memory + _doneBytes);
        _block->LengthBytes = (ulong)(_lengthBytes - _doneBytes);
        _block->Offset = _offset + _doneBytes;
        return _block;
    }

    /// <summary>Takes the kernel's answer: bytes moved, or an error number below zero.</summary>
    public void Completed(long result)
    {
        if (result < 0)
        {
            _error = (int)-result;
        }
        else if (Advance((int)result))
        {
            Submit();
            return;
        }

        End();
    }

    /// <summary>Does it on the calling thread, which waits for the disk.</summary>
    public void Perform()
    {
        Move();
        End();
    }

    void IThreadPoolWorkItem.Execute() => Finish();

    private void Move()
    {
        try
        {
            PassFaultPoint();
            if (_isWrite)
            {
                RandomAccess.Write(_file.Handle, new ReadOnlySpan<byte>(_memory + _doneBytes, _lengthBytes - _doneBytes), _offset + _doneBytes);
                Advance(_lengthBytes - _doneBytes);
            }
            else
            {
                while (Advance(RandomAccess.Read(_file.Handle, new Span<byte>(_memory + _doneBytes, _lengthBytes - _doneBytes), _offset + _doneBytes)))
                {
                    // A read may stop short of what was asked for.
                }
            }
        }
        catch (Exception cause)
        {
            _failure = cause;
        }
    }

    /// <summary>Lets a test fail the request here, or cut it.</summary>
    private void PassFaultPoint()
    {
        try
        {
            _file.Device.Fault(_isWrite ? _file.Area.Write : _file.Area.Read);
        }
        catch (PartialTransferException partial) when (!_isWrite)
        {
            Advance(RandomAccess.Read(_file.Handle, new Span<byte>(_memory, Math.Min(partial.Bytes, _lengthBytes)), _offset));
        }
        catch (PartialTransferException partial)
        {
            RandomAccess.Write(_file.Handle, new ReadOnlySpan<byte>(_memory, Math.Min(partial.Bytes, _lengthBytes)), _offset);
            throw;
        }
    }

    /// <summary>Our own readers and writers go on in the thread pool. FASTER's callbacks run here: they take note, wake somebody or start the next request.</summary>
    /// <remarks>
    /// That takes less than waking another thread would. And FASTER may spin in an append until a page is written, while others queue for the same lock on every thread of the pool:
    /// a completion that waited for the pool as well would come only after the pool had grown beyond them, half a second per thread.
    /// </remarks>
    private void End()
    {
        if (_callback is null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        else
        {
            Finish();
        }
    }

    private void Finish()
    {
        var (file, done, callback, context) = (_file, _doneBytes, _callback, _callbackContext);
        var failure = _failure ?? (_error == 0 ? null : new IOException($"{(_isWrite ? "write" : "read")} '{file.Path}' at {_offset}: {new Win32Exception(_error).Message}", _error));
        _pin.Dispose();
        file.Device.Ended(file);
        if (callback is null)
        {
            // Whoever awaits goes on from here, on this thread of the pool.
            if (failure is null)
            {
                _source.SetResult(done);
            }
            else
            {
                _source.SetException(failure);
            }

            return;
        }

        var (isWrite, memory, length) = (_isWrite, (nint)_memory, _lengthBytes);
        Return();
        file.Device.Tell(isWrite, memory, length, done, failure, callback, context!);
    }

    int IValueTaskSource<int>.GetResult(short token)
    {
        try
        {
            return _source.GetResult(token);
        }
        finally
        {
            Return();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    private static IoRequest Rent()
    {
        lock (Gate)
        {
            if (Free.TryPop(out var request))
            {
                return request;
            }

            if (_count == _all.Length)
            {
                var larger = new IoRequest[2 * _count];
                _all.CopyTo(larger, 0);
                Volatile.Write(ref _all, larger);
            }

            return _all[_count] = new IoRequest((uint)_count++);
        }
    }

    private void Start(DirectFile file, bool isWrite, byte* memory, int lengthBytes, long offset)
    {
        _file = file;
        _isWrite = isWrite;
        _memory = memory;
        _lengthBytes = lengthBytes;
        _offset = offset;
        _doneBytes = 0;
        _error = 0;
        _failure = null;
        try
        {
            file.Device.Begun(file);
        }
        catch
        {
            _pin.Dispose();
            Return();
            throw;
        }

        Submit();
    }

    private void Submit()
    {
        if ((_file.UsesRing && AioRing.Shared!.TrySubmit(this)) || _file.Device.Threads.TryPerform(this))
        {
            return;
        }

        // The device was closed. That is no reason to throw on the ring's thread, which may be here to go on with a part, and FASTER must not be called back from within its call.
        _failure = new ObjectDisposedException(nameof(DirectDevice), $"'{_file.Path}' at {_offset}: the device was closed before the {(_isWrite ? "write" : "read")} was done.");
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Counts what was moved.</summary>
    /// <returns>True if there is more to do. A read that stops short of a sector boundary has met the end of the file, and direct I/O could not go on from there.</returns>
    private bool Advance(int bytes)
    {
        _doneBytes += bytes;
        if (!_isWrite)
        {
            _file.Device.Figures.Read(bytes);
        }
        else if (bytes > 0 || _doneBytes == _lengthBytes)
        {
            _file.Device.Figures.Written(bytes);
        }
        else
        {
            _error = InputOutputError;
        }

        return bytes > 0 && bytes % SectorBytes == 0 && _doneBytes < _lengthBytes;
    }

    private void Return()
    {
        _file = null!;
        _pin = default;
        _callback = null;
        _callbackContext = null;
        _failure = null;
        _source.Reset();
        lock (Gate)
        {
            Free.Push(this);
        }
    }
}
