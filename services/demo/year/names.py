"""What people, departments and incidents of the demo year are called."""

DEPARTMENTS = (
    ("冲压车间", "Press shop"),
    ("焊装车间", "Body shop"),
    ("涂装车间", "Paint shop"),
    ("总装车间", "Assembly"),
    ("机加工车间", "Machining"),
    ("注塑车间", "Moulding"),
    ("包装车间", "Packaging"),
    ("动力车间", "Utilities"),
    ("成品仓库", "Finished goods"),
    ("原料仓库", "Raw materials"),
    ("物流部", "Logistics"),
    ("质量部", "Quality"),
    ("设备部", "Maintenance"),
    ("采购部", "Purchasing"),
    ("销售部", "Sales"),
    ("财务部", "Finance"),
    ("人力资源部", "Human resources"),
    ("研发部", "Development"),
    ("安全环保部", "Safety and environment"),
    ("后勤服务部", "Facilities"),
)
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
_FIRST = "建国志明晓文海俊春秋永家思雅子玉美丽红雪金天成德光立新国庆卫东"
_SECOND = "华军平强刚涛斌辉鹏飞宇杰浩然敏静燕娟霞玲芳洁莉萍婷慧颖琳瑶欣"
# Why footage is asked for, and for what.
REASONS = (
    ("{place}第{number}批货物清点数量不符，需要核对出入库经过。", "核对出入库人员与时间的记录，改进交接清点。"),
    ("{place}附近发生叉车与货架刮碰，工单{number}记录的经过不完整。", "查明事故原因，作为事故报告和整改的依据。"),
    ("员工反映在{place}遗失个人物品，登记编号{number}。", "确认物品遗失的时间和位置，协助失主找回。"),
    ("{place}夜间门禁记录与值班记录不一致，巡查单号{number}。", "确认开门时间和人员，排查安全隐患。"),
    ("承运司机对{place}装车数量有异议，运单{number}。", "还原装车过程，作为结算争议的依据。"),
    ("{place}设备停机超时，报修单{number}，需要回看停机前后的操作。", "查明停机原因，改进操作规程。"),
    ("{place}有车辆未登记进入，访客单{number}缺失。", "核实放行经过，完善来访登记。"),
    ("{place}消防通道被占用，检查记录{number}。", "确认占用时间和责任部门，督促整改。"),
    ("{place}发生人员滑倒，伤情登记{number}。", "查明受伤经过，作为工伤认定的依据。"),
    ("客户投诉第{number}批产品外箱破损，需要查看{place}的搬运过程。", "确认破损环节，作为理赔和改进的依据。"),
    ("{place}废料出厂重量与过磅单{number}不符。", "核对装运与过磅过程。"),
)


def person(number: int) -> str:
    """Return a name; the first 45,000 are different."""
    family, rest = number % len(_FAMILY), number // len(_FAMILY)
    return _FAMILY[family] + _FIRST[(rest + family) % len(_FIRST)] + _SECOND[rest // len(_FIRST) % len(_SECOND)]
