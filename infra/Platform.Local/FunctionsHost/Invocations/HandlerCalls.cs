using Platform.Local.FunctionsHost.Handler;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Calls the handler once it is ready, and again if the call never reached it.</summary>
internal static class HandlerCalls
{
    private static readonly TimeSpan ExitNotice = TimeSpan.FromMilliseconds(250);

    /// <summary>Runs <paramref name="call"/> against the running handler; while connections are refused because the process has just ended, waits for the next one.</summary>
    public static async Task<T> CallAsync<T>(this HandlerSupervisor supervisor, Func<HandlerGeneration, Task<T>> call, CancellationToken cancellationToken)
    {
        while (true)
        {
            var generation = await supervisor.WaitReadyAsync(cancellationToken);
            try
            {
                return await call(generation);
            }
            catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.ConnectionError && !cancellationToken.IsCancellationRequested)
            {
                if (!await ExitsAsync(generation, cancellationToken))
                {
                    throw;
                }
            }
        }
    }

    /// <summary>True if the process of <paramref name="generation"/> has ended, or does so in a moment: sockets close before the exit is noticed.</summary>
    public static async Task<bool> ExitsAsync(HandlerGeneration generation, CancellationToken cancellationToken)
    {
        var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = generation.Exited.Register(exited.SetResult);
        await Task.WhenAny(exited.Task, Task.Delay(ExitNotice, cancellationToken));
        return exited.Task.IsCompleted;
    }
}
