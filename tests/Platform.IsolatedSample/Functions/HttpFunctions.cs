using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;
using Microsoft.Extensions.Logging;
using FromBodyAttribute = Microsoft.Azure.Functions.Worker.Http.FromBodyAttribute;

namespace IsolatedSample;

// ASP.NET integration: HttpRequest and IActionResult, a logger and a service by constructor.
public class Hello
{
    private readonly ILogger<Hello> _logger;
    private readonly IGreeter _greeter;

    public Hello(ILogger<Hello> logger, IGreeter greeter)
    {
        _logger = logger;
        _greeter = greeter;
    }

    [Function("Hello")]
    public IActionResult Run([HttpTrigger(AuthorizationLevel.Anonymous, "get", "post", Route = "hello/{name?}")] HttpRequest req, string? name)
    {
        _logger.LogInformation("C# HTTP trigger function processed a request.");
        return new OkObjectResult(_greeter.Greet(name ?? req.Query["name"].ToString()));
    }

    [Function(nameof(Missing))]
    public async Task<IActionResult> Missing([HttpTrigger(AuthorizationLevel.Function, "get")] HttpRequest req, FunctionContext context, CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        return new NotFoundObjectResult(new { error = $"nothing for {context.FunctionDefinition.Name}", id = context.InvocationId });
    }
}

// The built-in model: HttpRequestData and HttpResponseData, a logger factory by constructor.
public class Classic
{
    private readonly ILogger _logger;

    public Classic(ILoggerFactory loggerFactory)
    {
        _logger = loggerFactory.CreateLogger<Classic>();
    }

    [Function("Classic")]
    public async Task<HttpResponseData> Run([HttpTrigger(AuthorizationLevel.Anonymous, "get", "post")] HttpRequestData req, FunctionContext executionContext)
    {
        var logger = executionContext.GetLogger("Classic");
        logger.LogInformation("{Method} {Url}", req.Method, req.Url);
        _logger.LogInformation("again");

        var body = await req.ReadAsStringAsync();
        req.Headers.TryGetValues("X-Mine", out var mine);

        var response = req.CreateResponse(HttpStatusCode.Created);
        response.Headers.Add("Content-Type", "text/plain; charset=utf-8");
        response.Headers.Add("X-Seen", mine?.FirstOrDefault() ?? "none");
        response.WriteString($"{req.Query["q"]}:{body}");
        return response;
    }

    [Function("ClassicJson")]
    public static async Task<HttpResponseData> Json([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "json/{id:int}")] HttpRequestData req, int id)
    {
        var order = await req.ReadFromJsonAsync<Order>();
        var response = req.CreateResponse();
        await response.WriteAsJsonAsync(order! with { Id = id });
        return response;
    }
}

public record Order(int Id, string Item);

// A body bound by attribute, beside the request.
public class Body
{
    [Function("Body")]
    public IActionResult Run([HttpTrigger(AuthorizationLevel.Anonymous, "post")] HttpRequest req, [FromBody] Order order) => new JsonResult(order);
}

// Several outputs: a response and messages, in both spellings.
public class Submit
{
    [Function("Submit")]
    public SubmitOutput Run([HttpTrigger(AuthorizationLevel.Anonymous, "post")] HttpRequest req) => new()
    {
        Result = new AcceptedResult("/api/status/1", "queued"),
        Messages = ["first", "second"],
    };

    [Function("SubmitClassic")]
    public async Task<ClassicOutput> Classic([HttpTrigger(AuthorizationLevel.Anonymous, "post")] HttpRequestData req)
    {
        var response = req.CreateResponse(HttpStatusCode.OK);
        await response.WriteStringAsync("done");
        return new ClassicOutput { Message = JsonSerializer.Serialize(new Order(9, "pen")), HttpResponse = response };
    }
}

public class SubmitOutput
{
    [HttpResult]
    public required IActionResult Result { get; set; }

    [QueueOutput("texts", Connection = "AzureWebJobsStorage")]
    public string[] Messages { get; set; } = [];
}

public class ClassicOutput
{
    [QueueOutput("orders")]
    public string? Message { get; set; }

    public HttpResponseData? HttpResponse { get; set; }
}
