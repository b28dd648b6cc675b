using System.Collections.Concurrent;

namespace Platform.DataPlane.DeviceMemory;

/// <summary>A thread that finishes copies in order: it waits for the driver, or makes the copy itself, and completes the task of who asked.</summary>
/// <remarks>A thread of its own, because drivers wait inside their calls; continuations run elsewhere.</remarks>
internal sealed class CopyQueue : IDisposable
{
    private readonly BlockingCollection<(Action Work, TaskCompletionSource Done)> _items = [];
    private readonly Thread _thread;
    private int _disposed;

    public CopyQueue(string name)
    {
        _thread = new Thread(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Adds the end of a copy.</summary>
    /// <param name="work">Returns when the copy is done; throws if it failed.</param>
    public Task Add(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ObjectDisposedException.ThrowIf(_disposed != 0, typeof(ICopyStream));
        _items.Add((work, done));
        return done.Task;
    }

    /// <summary>Waits for what was added and ends the thread.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _items.CompleteAdding();
            _thread.Join();
            _items.Dispose();
        }
    }

    private void Run()
    {
        foreach (var (work, done) in _items.GetConsumingEnumerable())
        {
            try
            {
                work();
                done.SetResult();
            }
            catch (Exception error)
            {
                done.SetException(error);
            }
        }
    }
}
