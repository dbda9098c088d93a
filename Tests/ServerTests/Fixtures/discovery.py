"""Asks a member what can be called, as grpcurl does, calls it by what it hears, and asks for its health.

usage: discovery.py HOST:PORT
"""
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(sys.argv[1])
grpc.channel_ready_future(channel).result(timeout=30)

database = ProtoReflectionDescriptorDatabase(channel)
names = list(database.get_services())
assert names == sorted(names) and len(names) == 10, names
pool = DescriptorPool(database)
methods = 0
for name in names:
    for method in pool.FindServiceByName(name).methods:
        methods += 1
        assert method.input_type.full_name and method.output_type.full_name
assert methods == 51, methods

# A call made of nothing but what was heard.
kv = pool.FindServiceByName("etcdserverpb.KV")


def call(method, **fields):
    found = kv.methods_by_name[method]
    request, response = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
    stub = channel.unary_unary(
        f"/{kv.full_name}/{method}", request_serializer=request.SerializeToString,
        response_deserializer=response.FromString)
    return stub(request(**fields), timeout=30)


call("Put", key=b"discovered", value=b"yes")
assert call("Range", key=b"discovered").kvs[0].value == b"yes"

# What nobody knows is an answer, not the end of the stream.
stub = reflection_pb2_grpc.ServerReflectionStub(channel)
Request = reflection_pb2.ServerReflectionRequest
answers = list(stub.ServerReflectionInfo(iter([
    Request(file_containing_symbol="etcdserverpb.KV.Nothing"),
    Request(file_by_filename="nothing.proto"),
    Request(all_extension_numbers_of_type="mvccpb.KeyValue"),
    Request(file_containing_symbol="etcdserverpb.RangeRequest.SortOrder"),
    Request(file_by_filename="rpc.proto"),
]), timeout=30))
assert [one.error_response.error_code for one in answers] == [5, 5, 0, 0, 0], answers
assert answers[2].all_extension_numbers_response.base_type_name == "mvccpb.KeyValue"
# The file with what it imports; the second time without what was sent already.
assert len(answers[3].file_descriptor_response.file_descriptor_proto) == 3
assert len(answers[4].file_descriptor_response.file_descriptor_proto) == 1

health = health_pb2_grpc.HealthStub(channel)
Check, Status = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
for service in ["", "etcdserverpb.KV"]:
    assert health.Check(Check(service=service), timeout=30).status == Status.SERVING
    watch = health.Watch(Check(service=service), timeout=30)
    assert next(watch).status == Status.SERVING
    watch.cancel()
try:
    health.Check(Check(service="nothing"), timeout=30)
    sys.exit("a service that is not there is healthy")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND
watch = health.Watch(Check(service="nothing"), timeout=30)
assert next(watch).status == Status.SERVICE_UNKNOWN
watch.cancel()
print("discovered", len(names), "services")
