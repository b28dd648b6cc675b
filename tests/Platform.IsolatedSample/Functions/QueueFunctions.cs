using System.Text;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging;

namespace IsolatedSample;

public class QueueFunctions
{
    private readonly ILogger<QueueFunctions> _logger;

    public QueueFunctions(ILogger<QueueFunctions> logger) => _logger = logger;

    [Function(nameof(QueueToQueue))]
    [QueueOutput("texts-done")]
    public string[] QueueToQueue([QueueTrigger("texts", Connection = "AzureWebJobsStorage")] string message, FunctionContext context)
    {
        _logger.LogInformation("Queue trigger: {message}, attempt {count}", message, context.BindingContext.BindingData["DequeueCount"]);
        return [$"{message}!", $"attempt {context.BindingContext.BindingData["DequeueCount"]}"];
    }

    [Function("OrderToQueue")]
    [QueueOutput("orders-done")]
    public static Task<Order> Run([QueueTrigger("orders")] Order order, long dequeueCount, string id) =>
        Task.FromResult(order with { Item = $"{order.Item} {dequeueCount} {(id.Length > 0 ? "has an id" : "has none")}" });

    [Function("BytesToQueue")]
    [QueueOutput("bytes-done")]
    public string Bytes([QueueTrigger("bytes")] byte[] bytes) => $"{bytes.Length} bytes, {Encoding.UTF8.GetString(bytes)}";
}
