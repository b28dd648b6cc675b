using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Platform.SystemTests.Histories;

/// <summary>Stands between an app and its sidecar. While it is bad, calls of other apps and actors are lost on the way there, or on the way back, arrive twice, or late; state and reminders, which no network carries, are left alone.</summary>
internal sealed class UnreliableNetwork(int seed) : IAsyncDisposable
{
    private const int LongestDelayMilliseconds = 700;
    private readonly Random _random = new(seed);
    private readonly Lock _lock = new();
    private readonly List<WebApplication> _wires = [];
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false }) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly int[] _faults = new int[Enum.GetValues<Fault>().Length];

    private enum Fault
    {
        None,
        RequestLost,
        AnswerLost,
        Twice,
        Late,
    }

    public bool IsBad { get; set; }

    /// <summary>How many calls met which fault.</summary>
    public string Summary => string.Join(", ", Enum.GetValues<Fault>().Select(fault => $"{fault} {_faults[(int)fault]}"));

    /// <summary>True once every fault has happened.</summary>
    public bool HasDoneEverything => _faults.All(count => count > 0);

    /// <summary>Opens a way to a sidecar.</summary>
    /// <returns>The port to use in place of the sidecar's own.</returns>
    public async Task<int> ConnectAsync(int sidecarPort)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var wire = builder.Build();
        wire.Run(context => CarryAsync(context, sidecarPort));
        _wires.Add(wire);
        await wire.StartAsync();
        return new Uri(wire.Urls.Single()).Port;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var wire in _wires)
        {
            await wire.DisposeAsync();
        }

        _http.Dispose();
    }

    private async Task CarryAsync(HttpContext context, int port)
    {
        using var buffer = new MemoryStream();
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
        var body = buffer.ToArray();
        var (fault, delay) = Draw(context.Request.Path);
        if (fault == Fault.RequestLost)
        {
            context.Abort();
            return;
        }

        if (fault == Fault.Late)
        {
            await Task.Delay(delay);
        }

        try
        {
            using var answer = await _http.SendAsync(RequestOf(context, port, body), HttpCompletionOption.ResponseContentRead, fault == Fault.None ? context.RequestAborted : CancellationToken.None);
            if (fault == Fault.Twice)
            {
                _ = AgainAsync(RequestOf(context, port, body), delay);
            }

            if (fault == Fault.AnswerLost)
            {
                context.Abort();
                return;
            }

            context.Response.StatusCode = (int)answer.StatusCode;
            foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers).Where(header => header.Key is not ("Transfer-Encoding" or "Connection" or "Date" or "Server")))
            {
                context.Response.Headers[name] = values.ToArray();
            }

            if (context.Response.StatusCode is not 204 and not 304)
            {
                await context.Response.Body.WriteAsync(await answer.Content.ReadAsByteArrayAsync(context.RequestAborted), context.RequestAborted);
            }
        }
        catch (Exception lost) when (lost is HttpRequestException or OperationCanceledException)
        {
            // The sidecar is being restarted, or the caller is gone.
            context.Abort();
        }
    }

    /// <summary>The copy of a message arrives, perhaps after many others; nobody hears its answer.</summary>
    private async Task AgainAsync(HttpRequestMessage copy, int delay)
    {
        try
        {
            await Task.Delay(delay);
            using var answer = await _http.SendAsync(copy);
        }
        catch (Exception lost) when (lost is HttpRequestException or ObjectDisposedException)
        {
            // It got lost as well.
        }
    }

    private (Fault Fault, int DelayMilliseconds) Draw(PathString path)
    {
        var text = path.Value!;
        var isMessage = text.StartsWith("/v1.0/invoke/", StringComparison.Ordinal) || (text.StartsWith("/v1.0/actors/", StringComparison.Ordinal) && text.Contains("/method/", StringComparison.Ordinal));
        lock (_lock)
        {
            var fault = !IsBad || !isMessage ? Fault.None : _random.Next(100) switch
            {
                < 3 => Fault.RequestLost,
                < 6 => Fault.AnswerLost,
                < 10 => Fault.Twice,
                < 14 => Fault.Late,
                _ => Fault.None,
            };
            _faults[(int)fault]++;
            return (fault, _random.Next(LongestDelayMilliseconds));
        }
    }

    private static HttpRequestMessage RequestOf(HttpContext context, int port, byte[] body)
    {
        var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}{context.Request.Path.ToUriComponent()}{context.Request.QueryString}"))
        {
            Content = body.Length == 0 && context.Request.ContentType is null ? null : new ByteArrayContent(body),
        };
        foreach (var (name, values) in context.Request.Headers.Where(header => header.Key is not ("Host" or "Connection" or "Transfer-Encoding" or "Content-Length")))
        {
            if (!request.Headers.TryAddWithoutValidation(name, values.ToArray()))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, values.ToArray());
            }
        }

        return request;
    }
}
