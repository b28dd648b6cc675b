using System.Collections.Concurrent;

namespace Platform.DataPlane.DeviceMemory;

/// <summary>A thread that finishes copies in order: it waits for the driver, or makes the copy itself, and completes the task of who asked.</summary>
/// <remarks>A thread of its own, because drivers wait inside their calls; continuations run elsewhere. It starts with the first copy: a load that is read straight into device memory makes none.</remarks>
internal sealed class CopyQueue(string name) : IDisposable
{
    private readonly BlockingCollection<Copy> _items = [];
    private readonly Lock _start = new();
    private Thread? _thread;
    private bool _disposed;

    /// <summary>Adds the end of a copy.</summary>
    /// <param name="work">Returns when the copy is done; throws if it failed.</param>
    public Task Add(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_start)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(ICopyStream));
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = name };
                _thread.Start();
            }
        }

        _items.Add(new Copy(work, done));
        return done.Task;
    }

    /// <summary>Waits for what was added and ends the thread.</summary>
    public void Dispose()
    {
        lock (_start)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        _items.CompleteAdding();
        _thread?.Join();
        _items.Dispose();
    }

    private void Run()
    {
        foreach (var copy in _items.GetConsumingEnumerable())
        {
            try
            {
                copy.Work();
                copy.Done.SetResult();
            }
            catch (Exception error)
            {
                copy.Done.SetException(error);
            }
        }
    }

    private sealed record Copy(Action Work, TaskCompletionSource Done);
}
