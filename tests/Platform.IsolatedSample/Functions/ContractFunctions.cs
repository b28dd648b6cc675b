using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace IsolatedSample;

// What a host may send, and a function may answer, besides the ordinary.
public class ContractFunctions
{
    private static readonly SemaphoreSlim Asked = new(0);

    [Function("Bytes")]
    public async Task<IActionResult> Bytes([HttpTrigger(AuthorizationLevel.Anonymous, "post", "put")] HttpRequest req)
    {
        using var body = new MemoryStream();
        await req.Body.CopyToAsync(body);
        return new FileContentResult(body.ToArray(), "application/octet-stream");
    }

    [Function("Count")]
    public async Task<IActionResult> Count([HttpTrigger(AuthorizationLevel.Anonymous, "post")] HttpRequest req, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        long count = 0;
        while (await req.Body.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            count += read;
        }

        return new OkObjectResult($"{count}");
    }

    [Function("Typed")]
    public IActionResult Typed(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "typed/{on:bool}/{size}/{id:guid}/{from}/{day}/{count?}")] HttpRequest req, bool on, decimal size, Guid id, DateTime from, DayOfWeek day, int? count) =>
        new OkObjectResult(FormattableString.Invariant($"{on} {size} {id} {from:yyyy-MM-dd} {day} {count}"));

    [Function("Moved")]
    public IActionResult Moved([HttpTrigger(AuthorizationLevel.Anonymous, "get")] HttpRequest req) => new RedirectResult("/api/hello/Ada");

    [Function("Throws")]
    public IActionResult Throws([HttpTrigger(AuthorizationLevel.Anonymous, "get")] HttpRequest req) => throw new InvalidOperationException("on purpose");

    // An event is written once somebody has asked for it, so one that a host keeps back is never followed by another.
    [Function("Events")]
    public async Task Events([HttpTrigger(AuthorizationLevel.Anonymous, "get")] HttpRequest req, CancellationToken cancellationToken)
    {
        req.HttpContext.Response.ContentType = "text/event-stream";
        for (var i = 0; i < 10; i++)
        {
            await Asked.WaitAsync(cancellationToken);
            await req.HttpContext.Response.WriteAsync($"data: {i}\n\n", cancellationToken);
            await req.HttpContext.Response.Body.FlushAsync(cancellationToken);
        }
    }

    [Function("NextEvent")]
    public IActionResult NextEvent([HttpTrigger(AuthorizationLevel.Anonymous, "post")] HttpRequest req)
    {
        Asked.Release();
        return new NoContentResult();
    }

    [Function("Process")]
    public IActionResult Process([HttpTrigger(AuthorizationLevel.Anonymous, "get")] HttpRequest req) => new OkObjectResult($"{Environment.ProcessId}");

    [Function("Hangs")]
    public async Task<IActionResult> Hangs([HttpTrigger(AuthorizationLevel.Anonymous, "get")] HttpRequest req)
    {
        await Task.Delay(Timeout.Infinite);
        return new OkResult();
    }

    // A second output, so the request comes in an envelope and its bytes as base64.
    [Function("SubmitBytes")]
    public async Task<SubmitOutput> SubmitBytes([HttpTrigger(AuthorizationLevel.Anonymous, "post")] HttpRequest req, string? tag)
    {
        using var body = new MemoryStream();
        await req.Body.CopyToAsync(body);
        return new SubmitOutput { Result = new StatusCodeResult(201), Messages = [$"{body.Length} {body.ToArray()[0]} {tag}"] };
    }

    [Function("Fails")]
    public void Fails([QueueTrigger("failing")] string message) => throw new InvalidOperationException(message);

    [Function("SaysNothing")]
    [QueueOutput("nothing")]
    public string? SaysNothing([QueueTrigger("quiet")] string message) => message == "speak" ? "spoken" : null;

    [Function("Stubborn")]
    [FixedDelayRetry(2, "00:00:00.050")]
    [QueueOutput("stubborn")]
    public string Stubborn([TimerTrigger("0 0 0 1 1 *", RunOnStartup = true)] TimerInfo timer, FunctionContext context) => context.RetryContext is { RetryCount: 2 } last
        ? $"retry {last.RetryCount} of {last.MaxRetryCount}"
        : throw new InvalidOperationException("not yet");
}
