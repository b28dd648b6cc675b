namespace Platform.Functions.Routing;

/// <summary>A worker's answer whose headers are here, and where the time until then went.</summary>
internal sealed class RoutedResponse(HttpResponseMessage response, string worker, TimeSpan queued, TimeSpan placed, IDisposable call) : IDisposable
{
    public HttpResponseMessage Response { get; } = response;

    public string Worker { get; } = worker;

    /// <summary>Time at the door that neither placing nor the answering worker took: reading the body, attempts that were lost.</summary>
    public TimeSpan Queued { get; } = queued;

    /// <summary>Time to choose the worker.</summary>
    public TimeSpan Placed { get; } = placed;

    public void Dispose()
    {
        Response.Dispose();
        call.Dispose();
    }
}
